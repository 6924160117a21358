"""The one exception a user's mistake raises."""


class SightlineError(Exception):
    """Something the person at the keyboard can mend: the message is one line that says what, where and how.

    The command line prints the message without a traceback and exits with status 1.
    """

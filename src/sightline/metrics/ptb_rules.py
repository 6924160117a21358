"""Penn Treebank tokenization, the rules: patterns of tokens, and how each is written.

Measured against Stanford CoreNLP 3.4.1, the version that captioning papers are scored with; later versions differ.
`tokenizers` applies the rules: the longest match wins, lookahead included, and among equals the first rule.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from functools import cache
from importlib import resources
from itertools import starmap
from typing import NamedTuple

# Characters beyond ASCII that have no role of their own stand for their kind by one of these.
LETTER, MARK, DIGIT, SYMBOL, UNKNOWN = "é", "\u0301", "\u0660", "¬", "\x7f"
SPACES = "\t\x85\xa0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u3000"
ROLES = "\x80\x91\x92\x93\x94\x96\x97¢£¤«\xad»¼½¾–—―‘’‚‛“”„‟…‹›₠€⁄֊‐‑٫٬⅓⅔、²³¹⁰⁺⁻₊₋⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉"


class _Shapes(dict[int, str]):
    """A table for `str.translate`: a character -> itself if a rule names it, else the stand-in for its class."""

    def __init__(self) -> None:
        super().__init__((code, chr(code)) for code in (*range(127), *map(ord, SPACES + ROLES)))
        stand_ins = {"letter": LETTER, "mark": MARK, "digit": DIGIT, "symbol": SYMBOL}
        table = resources.files("sightline.metrics").joinpath("ptb_characters.txt").read_text(encoding="utf-8")
        lines = [line.split() for line in table.splitlines() if line and line[0] != "#"]
        spans = [(*span.split("-"), stand_ins[name]) for name, *spans in lines for span in spans]
        edges = {0: UNKNOWN}
        for first, last, kind in sorted((int(span[0], 16), int(span[-2], 16), span[-1]) for span in spans):
            edges |= {first: kind, last + 1: UNKNOWN}
        self._edges, self._kinds = list(edges), list(edges.values())

    def __missing__(self, code: int) -> str:
        return self.setdefault(code, self._kinds[bisect_right(self._edges, code) - 1])


SHAPES = _Shapes()

# Parts of rules, by name; a part may name others. No group has a possessive quantifier: Python before 3.11.5 matches
# some of them wrongly.
_PARTS = {
    # Characters
    "space": f"[ {SPACES}]",
    "end": f"[ \n{SPACES}]",
    "digit": f"[0-9{DIGIT}]",
    "letter": f"[A-Za-z{LETTER}]",
    "alphanumeric": f"[A-Za-z{LETTER}0-9{DIGIT}]+",
    "wide": f"[A-Za-z{LETTER}{MARK}\xad]",
    "wide_or_digit": f"[A-Za-z{LETTER}{MARK}\xad0-9{DIGIT}]",
    "apostrophe": "['\x92’]|&apos;",
    "quote": "['\x91\x92`‘’‛]|&apos;",
    # Words and what hangs on them
    # A full stop without a space after it is more likely a name (foo.com, Yahoo!) than the end of a sentence.
    "word": r"{wide}(?:{wide_or_digit}|[.!?](?={wide}))*",
    "clitic": "{apostrophe}(?i:[msd]|re|ve|ll)",
    "not": "[nN]{quote}[tT]",
    "elided": "(?:[dDoOlL]{quote}(?:{letter}|{digit}))?{alphanumeric}",
    "compound": "{elided}(?:[-_֊‐‑]{elided})*",
    "part": "[A-Za-z0-9\xad]",
    # The first part may be a figure, as in 1,000-meter; the others may be initials, whose last period is theirs.
    "hyphenated": r"(?=[A-Za-z0-9])(?:{part}|[.,])+(?:-{initials}\.|-{part}+)+",
    "ampersand": "[A-Z]+(?:(?:[+&]|&amp;)[A-Z]+)+",
    "slashed": "[A-Za-z0-9]+(?:-[A-Za-z]+){0,2}",
    # Abbreviations, which keep their period: in any case of letters unless their group says otherwise
    "initials": r"(?:Canada|Sino|Korean|EU|Japan|non)-U\.S|U\.S\.-(?:U\.K|U\.S\.S\.R)|[A-Za-z](?:\.[A-Za-z])+",
    "acronym": r"{initials}|[A-Za-z]",
    "sentence_end": (
        "(?i:Ala|Al|Apr|Ariz|Assn|Aug|Bancorp|Bhd|Blvd|Bros|Calif|Colo|Conn|Corp|Cos|Co|Ct|Dak|Dec|Esq|Est|Etc|Ext|Feb|"
        "Fla|Fri|Ga|Inc|Ind|Intl|Jan|Jr|Jul|Jun|Kans|Kan|Ky|Ltd|Mar|Md|Mich|Minn|Mont|Mon|Mo|Neb|Nev|Nov|Oct|Okla|Penn|Plc|"
        r"Rd|Rt|Sept|Sep|Seq|Sq|Sr|Sys|Tel|Tenn|Thurs|Thu|Tues|Tue|Univ|Va|Vt|Wed|Wisc|Wis|Wyo|Ph\.D|Ed\.D)|(?i:Pt)[ey]|"
        "A(?i:rk|z)|D(?i:el)|I(?i:ll)|L(?i:a)|M(?i:ass|iss)|O(?i:re)|P(?i:a)|T(?i:ex)|W(?i:ash)"
    ),
    "title": (
        "(?i:Adj|Adm|Adv|Ave|Capt|Cf|Cie|Cmdr|Col|Cpl|Dept|Det|Drs|Dr|Ens|Ft|Gen|Govs|Gov|Hon|Jos|Lt|Maj|Messrs|Mlle|Mme|"
        "Mrs|Mr|Msgr|Ms|Mt|Pfc|Ph|Pres|Profs|Pvt|Reps|Rep|Rev|Sens|Sen|Sfc|Sgt|Spc|Ste|St|Supt|Vs|Wm)|[Mm][ft][Gg]"
    ),
    "before_number": "(?i:Art|Ca|Figs|Fig|Nos|No|Op|Pp|Prop|P)",
    # After an initial and before one of these a sentence begins; only the first letter must be a capital.
    "starter": (
        "A|A(?i:bout|ccording|dditionally|fter|n|s|t)|B(?i:ut)|E(?i:arlier)|H(?i:e|er|ere|owever)|I(?i:f|n|t)|L(?i:ast)|"
        "M(?i:any|ore)|N(?i:ow)|O(?i:nce|ne|ther|ur)|S(?i:he|ince|o|ome|uch)|T(?i:hat|he|heir|hen|here|hese|hey|his)|"
        "W(?i:e|hat|hen|hile)|Y(?i:et|ou)"
    ),
    # Numbers, addresses and markup
    "number": "{digit}*(?:[.,:\xad٫٬]?{digit}+)+",
    "few": "{digit}{1,4}",
    "gap": "[- \xa0]",
    # The part of a telephone number that is one's own: in one piece or in two.
    "line": "[0-9]{6,9}|[0-9]{3,4}{gap}[0-9]{3,5}",
    # What brackets, quotes and blanks delimit, less the punctuation that belongs to the sentence around it.
    "unspaced": f'[^\\s{SPACES}"<>|()' + "{}]",
    "target": "{unspaced}{2,}(?<![.,!?-])",
    "host": f"[a-zA-Z0-9{LETTER}-]+",
    "small": f"[a-z{LETTER}]+",
    # A domain holds single periods only; a comma stays with it, as the reference has it.
    "domain": r"(?!\.)(?:\.?(?!\.){unspaced})+",
    # Emoticons
    "eyes": "[:;=]",
    "nose": "[-']",
    "mouth": r"[()\[\]DdPpO|]",
}


def _expand(pattern: str) -> str:
    """The pattern with the names of parts in braces replaced by the parts."""
    while (expanded := re.sub(r"\{([a-z_]+)\}", lambda name: f"(?:{_PARTS[name[1]]})", pattern)) != pattern:
        pattern = expanded
    return pattern


_SIGNS: dict[int, str] = str.maketrans(
    {"(": "-LRB-", ")": "-RRB-", "[": "-LSB-", "]": "-RSB-", "{": "-LCB-", "}": "-RCB-"}
    | dict.fromkeys("‘‛\x91‹", "`")
    | dict.fromkeys("’\x92›", "'")
    | dict.fromkeys("“«\x93", "``")
    | dict.fromkeys("”»\x94", "''")
    | dict.fromkeys("¤\x80₠€", "$")
    | {"¢": "cents", "£": "#", "¼": "1/4", "½": "1/2", "¾": "3/4", "⅓": "1/3", "⅔": "2/3"}
)
_ENTITIES = re.compile("&(?:amp|lt|gt|apos);")
_ENTITY_SIGNS = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&apos;": "'"}


def nothing(token: str) -> str:
    """A token that vanishes."""
    return ""


def _solid(token: str) -> str:
    """Without soft hyphens and the quotes of Windows' code page, which vanish inside a word."""
    return token.translate({0xAD: None, 0x91: None, 0x92: None})


def _joined(token: str) -> str:
    """A token never holds a space."""
    return token.replace(" ", "\xa0")


def _sign(token: str) -> str:
    """Signs by their Penn Treebank names, entities resolved."""
    return _ENTITIES.sub(lambda entity: _ENTITY_SIGNS[entity[0]], token).translate(_SIGNS)


def _face(token: str) -> str:
    """Emoticons and telephone numbers: only the parentheses are renamed."""
    return _joined(token).replace("(", "-LRB-").replace(")", "-RRB-")


TAKEN_APART = frozenset(["cannot", "gonna", "gotta", "wanna", "gimme", "lemme"])
# Words, perhaps hyphenated or with a possessive, commas and full stops, all between single spaces: no rule joins or
# splits them further unless they are among the above. Most captions are nothing else.
_PLAIN = "[A-Za-z]++(?:-[A-Za-z]++)*(?:'s|,)?|[.,]|'s"
_PLAIN_END = r"[A-Za-z]++,?|[.,]|(?!(?:{sentence_end}|{title}|{before_number})\.)[A-Za-z][A-Za-z]+\."
PLAIN_RUN = re.compile(
    rf"(?:[A-Za-z]++[ ]++(?![{SPACES}]))*(?:(?:{_PLAIN})?[ ]++(?![{SPACES}]))*" + _expand(rf"(?:(?:{_PLAIN_END})\n)?")
)


def plain_words(run: str) -> list[str]:
    """The words of what `PLAIN_RUN` matches, lower case and without punctuation."""
    return run.lower().replace(",", " ").replace(".", " ").replace("'s", " 's").split()


class Rule(NamedTuple):
    """One kind of token.

    Attributes:
        starts: the characters it can start with, as the inside of a regular expression's class.
        pattern: a regular expression; its first group is the token, what follows it must be seen too, but belongs to
            the next token. Its parts are still in braces: see `compiled`.
        write: the text of a token -> what stands in the output, empty for nothing; `str` leaves it as it is.
    """

    starts: str
    pattern: str
    write: Callable[[str], str]


@cache
def compiled(rule: Rule) -> re.Pattern[str]:
    """The rule's pattern ready for use; compiled when first asked for, as all at once would slow down every start."""
    return re.compile(_expand(rule.pattern), re.ASCII)


_ALPHA = "A-Za-z"
_WIDE = f"A-Za-z{LETTER}{MARK}\xad"
_NUMERIC = f"0-9{DIGIT}"
_APOSTROPHE = "'\x92’&"
_ANY = r"\s\S"

_RULES = (
    (f" {SPACES}", "({space}+)", nothing),
    # Words written together that the Treebank takes apart
    ("cC", "((?i:can))(?i:not)", str),
    ("gGwW", "((?i:gon|wan))(?i:na)", str),
    ("gG", "((?i:got))(?i:ta)", str),
    ("gGlL", "((?i:gim|lem))(?i:me)", str),
    ("'", "('[tT])(?i:is|was)", str),
    # Markup
    # A bracket that a name touches opens a tag, one with a space after it compares.
    ("<", r"""(<[/!?]?[A-Za-z](?:[\w .:=/-]|"[^"]*"|'[^']*')*>)""", _joined),
    ("&\x96\x97–—―", "(&[mn]dash;|[\x96\x97–—―])", lambda _: "--"),
    ("&", "(&(?:amp|lt|gt);)", _sign),
    ("&", "(&nbsp;)", nothing),
    ("&", "(&#[0-9]+;)", str),
    # Words and their clitics
    (_WIDE, "({word}){clitic}", _solid),
    (_ALPHA, "([A-Za-z]*[A-MO-Za-mo-z]){not}", str),
    (_WIDE, "({word})", _solid),
    (_APOSTROPHE, "({apostrophe}[nN]{apostrophe}?)", _solid),
    ("lLdDjJ", "([lLdDjJ]{apostrophe})", _solid),
    ("dDsSoO", "((?i:Dunkin|somethin|ol){apostrophe})", _solid),
    (_APOSTROPHE, "({apostrophe}(?i:em|till?|cause))", _solid),
    (_APOSTROPHE, "({apostrophe}[2-9]0s)", _solid),
    ("A-HJ-XZn", "([A-HJ-XZn]{quote}{letter}{2,})", _solid),
    (_ALPHA + LETTER, "({letter}+[aeiouyAEIOUY]{quote}[aeiouA-Z]{letter}*)", _solid),
    ("cCnNeE", r"((?i:cont'd\.|nat'l|e'er))", str),
    ("cCoO", "((?i:cap){apostrophe}n|(?i:c){apostrophe}(?i:mon|est)|[oO]{quote}[oO])", _solid),
    ("yY", "([yY]{apostrophe}){letter}", _solid),
    # Addresses
    ("hH", "((?i:https?)://{target})", str),
    ("wW", r"((?i:www)\.(?:{host}\.)+[A-Za-z]{2,}(?:/{target})?)", str),
    (f"a-z{LETTER}", r"((?:{small}\.)+(?i:com|net|org|edu)(?:/{target})?)", str),
    (f"{_ALPHA}0-9", "([A-Za-z0-9]{unspaced}*@{domain})", str),
    ("@#", "(@[a-zA-Z_][a-zA-Z_0-9]*|#{wide}+)", str),
    # Clitics on their own, and a quote that opens a word rather
    (_APOSTROPHE, "({clitic})[^A-Za-z]", _sign),
    ("'", f"(')[A-Za-z][^ \n{SPACES}]", str),
    (_APOSTROPHE, "({clitic})", _sign),
    ("nN", r"({not})(?:[^A-Za-z]|\Z)", _sign),
    # Numbers
    (_NUMERIC, "({digit}{1,2}[-/]{digit}{1,2}[-/]{digit}{2,4})", str),
    (f"-+.,:\xad٫٬{_NUMERIC}", "([-+]?{number})", _solid),
    ("⁺⁻₊₋⁰¹²³⁴-⁹₀-₉", "([⁺⁻₊₋]?(?:[⁰¹²³⁴-⁹]+|[₀-₉]+))", str),
    (_NUMERIC, "({few}(?:{gap}{few})?[/⁄]{few})", _joined),
    (_APOSTROPHE, "({apostrophe}[0-9][0-9]){end}", _solid),
    (f"{_ALPHA}0-9", r"({slashed}(?:\\?/{slashed}){1,2})", str),
    # Names with signs in them
    ("-CMpaS", r"(-[RL][RCS]B-|[CM]\.D\.s|pro-|anti-|S(?:&|&amp;)P-500|S(?:&|&amp;)Ls)", _sign),
    ("A-Z$#", r"([A-Z]*\$|#)", str),
    ("cCfF", r"([cCfF]#|C\+\+|c\+\+)", str),
    # Abbreviations
    (_ALPHA, r"({sentence_end}\.)[\s\S][\s\S]", str),
    (_ALPHA, r"((?:{sentence_end}|{title}|{acronym})\.)(?:[\s\S]|\Z)", str),
    (_ALPHA, r"({before_number}\.){end}?{digit}", str),
    (_ALPHA, r"([A-Za-z])\.{end}+{starter}{end}", str),
    (_ALPHA, r"({acronym}\.){end}+{starter}{end}", str),
    (_WIDE + _NUMERIC, r"((?:{word}|{compound}|{hyphenated}|{ampersand})\.)[,;:、]", _solid),
    # Compounds
    (f"{_ALPHA}{LETTER}{_NUMERIC}", "({compound})", _solid),
    (f"{_ALPHA}0-9", "({hyphenated})", _solid),
    ("A-Z", "({ampersand})", lambda token: token.replace("&amp;", "&")),
    # Telephone numbers
    ("(+0-9", r"((?:\([0-9]{2,3}\)[ \xa0]?|\+?(?:[0-9]{2,4}{gap}){1,2}){line})", _face),
    # Signs
    ('"&', '("|&quot;)', lambda _: "''"),
    (":;=", "({eyes}{nose}?{mouth})[^A-Za-z0-9]", _face),
    ("-^>", "([-^>]_[-^<])", str),
    (".\x85…", r"(\.{3,5}|(?:\.[ \xa0]){2,4}\.|[\x85…])", lambda _: "..."),
    ("-", "(-+)", lambda token: "--" if 3 <= len(token) <= 4 else token),
    ("?!", "([?!]+)", str),
    (r"@_#*<>\\", r"(@+|_+|#+|\*+|(?:\\\*){1,3}|<<?|>>?)", str),
    ("&'`‘’‚‛“”„‟‹›«»\x91-\x94", "([`‘’‚‛“”„‟‹›«»\x91-\x94]{1,2}|''|{apostrophe})", _sign),
    (_ANY, f"([^\x00-\x20\xad{SPACES}{UNKNOWN}{MARK}{LETTER}{DIGIT}֊‐‑])", _sign),
)
RULES = tuple(starmap(Rule, _RULES))

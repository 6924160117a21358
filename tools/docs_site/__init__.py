"""The documentation as a web site: README, docs/, a reference read from the code, and the page that captions."""

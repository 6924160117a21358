"""Penn Treebank tokenization, the tables: patterns of tokens, how each is written, and classes of characters.

Measured against Stanford CoreNLP 3.4.1, the version that captioning papers are scored with; later versions differ.
`tokenizers` applies the rules: the longest match wins, lookahead included, and among equals the first rule.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

# Characters beyond ASCII that have no role of their own stand for their kind by one of these.
LETTER, MARK, DIGIT, SYMBOL, UNKNOWN = "é", "\u0301", "\u0660", "¬", "\x7f"
SPACES = "\t\x85\xa0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u3000"
ROLES = "\x80\x91\x92\x93\x94\x96\x97¢£¤«\xad»¼½¾–—―‘’‚‛“”„‟…‹›₠€⁄֊‐‑٫٬⅓⅔、²³¹⁰⁺⁻₊₋⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉"

# Abbreviations that keep their period, in any case of letters unless their group says otherwise.
_SENTENCE_END = (
    "(?i:Ala|Al|Apr|Ariz|Assn|Aug|Bancorp|Bhd|Blvd|Bros|Calif|Colo|Conn|Corp|Cos|Co|Ct|Dak|Dec|Esq|Est|Etc|Ext|Feb|"
    "Fla|Fri|Ga|Inc|Ind|Intl|Jan|Jr|Jul|Jun|Kans|Kan|Ky|Ltd|Mar|Md|Mich|Minn|Mont|Mon|Mo|Neb|Nev|Nov|Oct|Okla|Penn|Plc|"
    r"Rd|Rt|Sept|Sep|Seq|Sq|Sr|Sys|Tel|Tenn|Thurs|Thu|Tues|Tue|Univ|Va|Vt|Wed|Wisc|Wis|Wyo|Ph\.D|Ed\.D)|(?i:Pt)[ey]|"
    "A(?i:rk|z)|D(?i:el)|I(?i:ll)|L(?i:a)|M(?i:ass|iss)|O(?i:re)|P(?i:a)|T(?i:ex)|W(?i:ash)"
)
_TITLE = (
    "(?i:Adj|Adm|Adv|Ave|Capt|Cf|Cie|Cmdr|Col|Cpl|Dept|Det|Drs|Dr|Ens|Ft|Gen|Govs|Gov|Hon|Jos|Lt|Maj|Messrs|Mlle|Mme|"
    "Mrs|Mr|Msgr|Ms|Mt|Pfc|Ph|Pres|Profs|Pvt|Reps|Rep|Rev|Sens|Sen|Sfc|Sgt|Spc|Ste|St|Supt|Vs|Wm)|[Mm][ft][Gg]"
)
_BEFORE_NUMBER = "(?i:Art|Ca|Figs|Fig|Nos|No|Op|Pp|Prop|P)"
# After an initial and before one of these a sentence begins; only the first letter must be a capital.
_STARTERS = (
    "A|A(?i:bout|ccording|dditionally|fter|n|s|t)|B(?i:ut)|E(?i:arlier)|H(?i:e|er|ere|owever)|I(?i:f|n|t)|L(?i:ast)|"
    "M(?i:any|ore)|N(?i:ow)|O(?i:nce|ne|ther|ur)|S(?i:he|ince|o|ome|uch)|T(?i:hat|he|heir|hen|here|hese|hey|his)|"
    "W(?i:e|hat|hen|hile)|Y(?i:et|ou)"
)

# Parts of rules, by name; a part may name others.
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
    "word": r"{wide}(?:{wide_or_digit}|[.!?](?={wide}))*+",
    "clitic": "{apostrophe}(?i:[msd]|re|ve|ll)",
    "not": "[nN]{quote}[tT]",
    "elided": "(?:[dDoOlL]{quote}(?:{letter}|{digit}))?{alphanumeric}",
    "compound": "{elided}(?:[-_֊‐‑]{elided})*",
    "part": "[A-Za-z0-9\xad]",
    # The first part may be a figure, as in 1,000-meter; the others may be initials, whose last period is theirs.
    "hyphenated": r"(?=[A-Za-z0-9])(?:{part}|[.,])++(?:-{initials}\.|-{part}+)+",
    "ampersand": "[A-Z]+(?:(?:[+&]|&amp;)[A-Z]+)+",
    "slashed": "[A-Za-z0-9]+(?:-[A-Za-z]+){0,2}",
    # Abbreviations
    "initials": r"(?:Canada|Sino|Korean|EU|Japan|non)-U\.S|U\.S\.-(?:U\.K|U\.S\.S\.R)|[A-Za-z](?:\.[A-Za-z])+",
    "acronym": r"{initials}|[A-Za-z]",
    "sentence_end": _SENTENCE_END,
    "title": _TITLE,
    "before_number": _BEFORE_NUMBER,
    "starter": _STARTERS,
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


def _same(token: str) -> str:
    return token


def _nothing(token: str) -> str:
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
_PLAIN = "[A-Za-z]++(?:-[A-Za-z]++)*+(?:'s|,)?|[.,]|'s"
_PLAIN_END = r"[A-Za-z]++,?|[.,]|(?!(?:{sentence_end}|{title}|{before_number})\.)[A-Za-z][A-Za-z]+\."
PLAIN_RUN = re.compile(
    rf"(?:[A-Za-z]++[ ]++(?![{SPACES}]))*+(?:(?:{_PLAIN})?[ ]++(?![{SPACES}]))*+" + _expand(rf"(?:(?:{_PLAIN_END})\n)?")
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
        write: the text of a token -> what stands in the output, empty for nothing.
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

RULES = tuple(
    Rule(*rule)
    for rule in (
        (f" {SPACES}", "({space}+)", _nothing),
        # Words written together that the Treebank takes apart
        ("cC", "((?i:can))(?i:not)", _same),
        ("gGwW", "((?i:gon|wan))(?i:na)", _same),
        ("gG", "((?i:got))(?i:ta)", _same),
        ("gGlL", "((?i:gim|lem))(?i:me)", _same),
        ("'", "('[tT])(?i:is|was)", _same),
        # Markup
        # A bracket that a name touches opens a tag, one with a space after it compares.
        ("<", r"""(<[/!?]?[A-Za-z](?:[\w .:=/-]|"[^"]*"|'[^']*')*>)""", _joined),
        ("&\x96\x97–—―", "(&[mn]dash;|[\x96\x97–—―])", lambda _: "--"),
        ("&", "(&(?:amp|lt|gt);)", _sign),
        ("&", "(&nbsp;)", _nothing),
        ("&", "(&#[0-9]+;)", _same),
        # Words and their clitics
        (_WIDE, "({word}){clitic}", _solid),
        (_ALPHA, "([A-Za-z]*[A-MO-Za-mo-z]){not}", _same),
        (_WIDE, "({word})", _solid),
        (_APOSTROPHE, "({apostrophe}[nN]{apostrophe}?)", _solid),
        ("lLdDjJ", "([lLdDjJ]{apostrophe})", _solid),
        ("dDsSoO", "((?i:Dunkin|somethin|ol){apostrophe})", _solid),
        (_APOSTROPHE, "({apostrophe}(?i:em|till?|cause))", _solid),
        (_APOSTROPHE, "({apostrophe}[2-9]0s)", _solid),
        ("A-HJ-XZn", "([A-HJ-XZn]{quote}{letter}{2,})", _solid),
        (_ALPHA + LETTER, "({letter}+[aeiouyAEIOUY]{quote}[aeiouA-Z]{letter}*)", _solid),
        ("cCnNeE", r"((?i:cont'd\.|nat'l|e'er))", _same),
        ("cCoO", "((?i:cap){apostrophe}n|(?i:c){apostrophe}(?i:mon|est)|[oO]{quote}[oO])", _solid),
        ("yY", "([yY]{apostrophe}){letter}", _solid),
        # Addresses
        ("hH", "((?i:https?)://{target})", _same),
        ("wW", r"((?i:www)\.(?:{host}\.)+[A-Za-z]{2,}(?:/{target})?)", _same),
        (f"a-z{LETTER}", r"((?:{small}\.)+(?i:com|net|org|edu)(?:/{target})?)", _same),
        (f"{_ALPHA}0-9", "([A-Za-z0-9]{unspaced}*@{domain})", _same),
        ("@#", "(@[a-zA-Z_][a-zA-Z_0-9]*|#{wide}+)", _same),
        # Clitics on their own, and a quote that opens a word rather
        (_APOSTROPHE, "({clitic})[^A-Za-z]", _sign),
        ("'", f"(')[A-Za-z][^ \n{SPACES}]", _same),
        (_APOSTROPHE, "({clitic})", _sign),
        ("nN", r"({not})(?:[^A-Za-z]|\Z)", _sign),
        # Numbers
        (_NUMERIC, "({digit}{1,2}[-/]{digit}{1,2}[-/]{digit}{2,4})", _same),
        (f"-+.,:\xad٫٬{_NUMERIC}", "([-+]?{number})", _solid),
        ("⁺⁻₊₋⁰¹²³⁴-⁹₀-₉", "([⁺⁻₊₋]?(?:[⁰¹²³⁴-⁹]+|[₀-₉]+))", _same),
        (_NUMERIC, "({few}(?:{gap}{few})?[/⁄]{few})", _joined),
        (_APOSTROPHE, "({apostrophe}[0-9][0-9]){end}", _solid),
        (f"{_ALPHA}0-9", r"({slashed}(?:\\?/{slashed}){1,2})", _same),
        # Names with signs in them
        ("-CMpaS", r"(-[RL][RCS]B-|[CM]\.D\.s|pro-|anti-|S(?:&|&amp;)P-500|S(?:&|&amp;)Ls)", _sign),
        ("A-Z$#", r"([A-Z]*\$|#)", _same),
        ("cCfF", r"([cCfF]#|C\+\+|c\+\+)", _same),
        # Abbreviations
        (_ALPHA, r"({sentence_end}\.)[\s\S][\s\S]", _same),
        (_ALPHA, r"((?:{sentence_end}|{title}|{acronym})\.)(?:[\s\S]|\Z)", _same),
        (_ALPHA, r"({before_number}\.){end}?{digit}", _same),
        (_ALPHA, r"([A-Za-z])\.{end}+{starter}{end}", _same),
        (_ALPHA, r"({acronym}\.){end}+{starter}{end}", _same),
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
        ("-^>", "([-^>]_[-^<])", _same),
        (".\x85…", r"(\.{3,5}|(?:\.[ \xa0]){2,4}\.|[\x85…])", lambda _: "..."),
        ("-", "(-+)", lambda token: "--" if 3 <= len(token) <= 4 else token),
        ("?!", "([?!]+)", _same),
        (r"@_#*<>\\", r"(@+|_+|#+|\*+|(?:\\\*){1,3}|<<?|>>?)", _same),
        ("&'`‘’‚‛“”„‟‹›«»\x91-\x94", "([`‘’‚‛“”„‟‹›«»\x91-\x94]{1,2}|''|{apostrophe})", _sign),
        (_ANY, f"([^\x00-\x20\xad{SPACES}{UNKNOWN}{MARK}{LETTER}{DIGIT}֊‐‑])", _sign),
    )
)

# Which characters beyond ASCII are letters, marks, digits and symbols: ranges of hexadecimal code points. CoreNLP 3.4.1
# has the Unicode tables of its day and Python newer ones, so these are recorded from its behaviour, character by
# character over the Basic Multilingual Plane. All other characters, emoji among them, separate words and vanish.

# They begin and continue words of every kind.
LETTERS = (
    "aa b5 ba c0-d6 d8-f6 f8-2c1 2c6-2d1 2e0-2e4 2ec 2ee 370-374 376-377 37a-37d 386 388-38a 38c 38e-3a1 3a3-3f5 "
    "3f7-481 48a-527 531-556 559 561-587 5d0-5ea 5f0-5f2 620-64a 66e-66f 671-6d3 6d5 6e5-6e6 6ee-6ef 6fa-6fc 6ff "
    "710 712-72f 74d-7a5 7b1 7ca-7ea 7f4-7f5 7fa 800-815 81a 824 828 840-858 8a0 8a2-8ac 904-939 93d 950 958-961 "
    "971-977 979-97f 985-98c 98f-990 993-9a8 9aa-9b0 9b2 9b6-9b9 9bd 9ce 9dc-9dd 9df-9e1 9f0-9f1 a05-a0a a0f-a10 "
    "a13-a28 a2a-a30 a32-a33 a35-a36 a38-a39 a59-a5c a5e a72-a74 a85-a8d a8f-a91 a93-aa8 aaa-ab0 ab2-ab3 ab5-ab9 "
    "abd ad0 ae0-ae1 b05-b0c b0f-b10 b13-b28 b2a-b30 b32-b33 b35-b39 b3d b5c-b5d b5f-b61 b71 b83 b85-b8a b8e-b90 "
    "b92-b95 b99-b9a b9c b9e-b9f ba3-ba4 ba8-baa bae-bb9 bd0 c05-c0c c0e-c10 c12-c28 c2a-c33 c35-c39 c3d c58-c59 "
    "c60-c61 c85-c8c c8e-c90 c92-ca8 caa-cb3 cb5-cb9 cbd cde ce0-ce1 cf1-cf2 d05-d0c d0e-d10 d12-d3a d3d d4e "
    "d60-d61 d7a-d7f d85-d96 d9a-db1 db3-dbb dbd dc0-dc6 e01-e30 e32-e33 e40-e46 e81-e82 e84 e87-e88 e8a e8d "
    "e94-e97 e99-e9f ea1-ea3 ea5 ea7 eaa-eab ead-eb0 eb2-eb3 ebd ec0-ec4 ec6 edc-edf f00 f40-f47 f49-f6c f88-f8c "
    "1000-102a 103f 1050-1055 105a-105d 1061 1065-1066 106e-1070 1075-1081 108e 10a0-10c5 10c7 10cd 10d0-10fa "
    "10fc-1248 124a-124d 1250-1256 1258 125a-125d 1260-1288 128a-128d 1290-12b0 12b2-12b5 12b8-12be 12c0 12c2-12c5 "
    "12c8-12d6 12d8-1310 1312-1315 1318-135a 1380-138f 13a0-13f4 1401-166c 166f-167f 1681-169a 16a0-16ea 1700-170c "
    "170e-1711 1720-1731 1740-1751 1760-176c 176e-1770 1780-17b3 17d7 17dc 1820-1877 1880-18a8 18aa 18b0-18f5 "
    "1900-191c 1950-196d 1970-1974 1980-19ab 19c1-19c7 1a00-1a16 1a20-1a54 1aa7 1b05-1b33 1b45-1b4b 1b83-1ba0 "
    "1bae-1baf 1bba-1be5 1c00-1c23 1c4d-1c4f 1c5a-1c7d 1ce9-1cec 1cee-1cf1 1cf5-1cf6 1d00-1dbf 1e00-1f15 1f18-1f1d "
    "1f20-1f45 1f48-1f4d 1f50-1f57 1f59 1f5b 1f5d 1f5f-1f7d 1f80-1fb4 1fb6-1fbc 1fbe 1fc2-1fc4 1fc6-1fcc 1fd0-1fd3 "
    "1fd6-1fdb 1fe0-1fec 1ff2-1ff4 1ff6-1ffc 2071 207f 2090-209c 2102 2107 210a-2113 2115 2119-211d 2124 2126 2128 "
    "212a-212d 212f-2139 213c-213f 2145-2149 214e 2183-2184 2c00-2c2e 2c30-2c5e 2c60-2ce4 2ceb-2cee 2cf2-2cf3 "
    "2d00-2d25 2d27 2d2d 2d30-2d67 2d6f 2d80-2d96 2da0-2da6 2da8-2dae 2db0-2db6 2db8-2dbe 2dc0-2dc6 2dc8-2dce "
    "2dd0-2dd6 2dd8-2dde 2e2f 3005-3006 3031-3035 303b-303c 3041-3096 309d-309f 30a1-30fa 30fc-30ff 3105-312d "
    "3131-318e 31a0-31ba 31f0-31ff 3400-4db5 4e00-9fcc a000-a48c a4d0-a4fd a500-a60c a610-a61f a62a-a62b a640-a66e "
    "a67f-a697 a6a0-a6e5 a717-a71f a722-a788 a78b-a78e a790-a793 a7a0-a7aa a7f8-a801 a803-a805 a807-a80a a80c-a822 "
    "a840-a873 a882-a8b3 a8f2-a8f7 a8fb a90a-a925 a930-a946 a960-a97c a984-a9b2 a9cf aa00-aa28 aa40-aa42 aa44-aa4b "
    "aa60-aa76 aa7a aa80-aaaf aab1 aab5-aab6 aab9-aabd aac0 aac2 aadb-aadd aae0-aaea aaf2-aaf4 ab01-ab06 ab09-ab0e "
    "ab11-ab16 ab20-ab26 ab28-ab2e abc0-abe2 ac00-d7a3 d7b0-d7c6 d7cb-d7fb f900-fa6d fa70-fad9 fb00-fb06 fb13-fb17 "
    "fb1d fb1f-fb28 fb2a-fb36 fb38-fb3c fb3e fb40-fb41 fb43-fb44 fb46-fbb1 fbd3-fd3d fd50-fd8f fd92-fdc7 fdf0-fdfb "
    "fe70-fe74 fe76-fefc ff21-ff3a ff41-ff5a ff66-ffbe ffc2-ffc7 ffca-ffcf ffd2-ffd7 ffda-ffdc"
)

# Combining marks and the like: letters inside plain words, but not inside numbers and hyphenated words.
MARKS = (
    "2c2-2c5 2d2-2df 2e5-2eb 2ed 2ef-36f 375 378-379 384-385 3f6 483-487 55a-55f 591-5bd 5bf 5c1-5c2 5c4-5c5 5c7 "
    "615-61a 64b-65e 670 6d6-6e4 6e7-6ed 6fd-6fe 70f 711 730-74c 7a6-7b0 7eb-7f3 900-903 93c 93e-94e 951-955 "
    "962-963 981-983 9bc 9be-9c4 9c7-9c8 9cb-9cd 9d7 9e2-9e3 a01-a03 a3c a3e-a4f a81-a83 abc abe-acf b82 bbe-bc2 "
    "bc6-bc8 bca-bcd c01-c03 c3e-c56 d3e-d44 d46-d48 e31 e34-e3a e47-e4e eb1 eb4-ebc ec8-ecd"
)

# Decimal digits of other scripts.
DIGITS = (
    "660-669 6f0-6f9 7c0-7c9 966-96f 9e6-9ef a66-a6f ae6-aef b66-b6f be6-bef c66-c6f ce6-cef d66-d6f e50-e59 "
    "ed0-ed9 f20-f29 1040-1049 1090-1099 17e0-17e9 1810-1819 1946-194f 19d0-19d9 1a80-1a89 1a90-1a99 1b50-1b59 "
    "1bb0-1bb9 1c40-1c49 1c50-1c59 a620-a629 a8d0-a8d9 a900-a909 a9d0-a9d9 aa50-aa59 abf0-abf9 ff10-ff19"
)

# Symbols and punctuation: each character is a token.
SYMBOLS = (
    "a1 a5-a9 ac ae-b4 b6-b9 bf d7 f7 37e 387 589 5be 5c0 5c3 5c6 5f3-5f4 600-603 606-60c 614 61b 61e-61f 66a 66d "
    "6d4 700-70d 7f6-7f8 964-965 e3f e4f 1fbd 2016-2017 2020-2023 2030-2038 203b 203e-2042 2070 2074-207e 2080-208e "
    "20a4 2100-2101 2103-2106 2108-2109 2114 2116-2118 211e-2123 2125 2127 2129 212e 213a-213b 2140-2144 214a-214d "
    "214f 2155-215e 2190-2bff 3001-3002 3012 30fb ff01-ff0f ff1a-ff20 ff3b-ff40 ff5b-ff65 ffe0-ffe1 ffe5-ffe6"
)

"""Tables of captions: what any writer wrote is read back, and a lone quote costs one line at most."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.annotations.delimited import parse_table

PHOTO = ("image", "image_name")
LINE_ENDS = ("\n", "\r\n", "\r")
names = st.from_regex(r"[a-z0-9_]{1,6}\.(jpg|png)", fullmatch=True)
texts = st.text(st.sampled_from("ab \"\n,;|\té字.'1"), max_size=12).map(str.strip)


def read(text: str) -> list[tuple[str, str] | int]:
    """(photo, caption) of each row, the line's number where it makes no sense."""
    table = parse_table(text, PHOTO)
    assert table is not None
    at = table.columns.index(table.photo), table.columns.index(table.captions[0])
    return [(cells[at[0]], cells[at[1]]) if cells else line for line, cells in table.lines]


@given(
    st.lists(st.tuples(names, texts), min_size=1, max_size=8),
    st.sampled_from(",;\t|"),
    st.sampled_from(LINE_ENDS),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    st.sampled_from(["image,caption", "image,id,caption", "caption,image", "image,caption,x"]),
)
def test_what_pythons_csv_writes_is_read_back(rows, delimiter, line_end, quoting, columns):
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=delimiter, lineterminator=line_end, quoting=quoting)
    writer.writerow(columns.split(","))
    for photo, caption in rows:
        cells = {"image": photo, "caption": caption.replace("\n", line_end)}
        writer.writerow([cells.get(column, "7") for column in columns.split(",")])
    assert read(file.getvalue()) == rows


@given(
    st.lists(
        st.tuples(
            names,
            texts.map(lambda text: text.replace("\n", " ").strip()).filter(
                # In quotes from end to end, a caption cannot be told from a quoted one.
                lambda text: not (text.startswith('"') and text.endswith('"')) and not text.endswith((",", "|", ";"))
            ),
        ),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from([",", ";", "\t", "|", "| "]),
    st.sampled_from(LINE_ENDS),
    st.booleans(),
)
def test_what_is_written_without_quoting_is_read_back(rows, delimiter, line_end, numbered):
    header = ["image", "comment_number", "comment"] if numbered else ["image", "caption"]
    lines = [delimiter.join(header)]
    lines += [delimiter.join([photo, "0", caption] if numbered else [photo, caption]) for photo, caption in rows]
    assert read(line_end.join(lines)) == rows


QUOTED = "".join(f'{n}.jpg,"a dog, a cat and ""{n}"""\n' for n in range(9))


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ('x.jpg,"A dog runs', None),
        ('x.jpg,A dog says "woof', 'A dog says "woof'),
        ('x.jpg,"The Beatles" hang on a wall', None),
        ('x.jpg,"a "stop" sign"', 'a "stop" sign'),
        ('x.jpg,"a dog, a cat",', "a dog, a cat"),
        ('x.jpg,"a dog", she said', None),
        ("x.jpg", None),
        ('"x.jpg,a dog', None),
        ("x.jpg,a dog, a cat", "a dog, a cat"),
        ("x.jpg,", ""),
    ],
)
@pytest.mark.parametrize("last", ["y.jpg,end", 'y.jpg,the sign says stop"', 'y.jpg,"end"'])
def test_where_quoting_is_broken_the_line_is_named_and_the_rest_is_kept(line, kept, last):
    rows = read(f"image,caption\n{QUOTED}{line}\n{QUOTED}{last}\n")
    whole = [(f"{n}.jpg", f'a dog, a cat and "{n}"') for n in range(9)]
    end = ("y.jpg", last.partition(",")[2].removeprefix('"') if last.endswith('end"') else last.partition(",")[2])
    end = (end[0], end[1].removesuffix('"')) if last.endswith('end"') else end
    assert rows == [*whole, 11 if kept is None else ("x.jpg", kept), *whole, end]


def test_two_lone_quotes_far_apart_eat_nothing_between_them():
    lines = [f"{n}.jpg,a dog , a cat" for n in range(50)]
    lines[5], lines[40] = '5.jpg,"a dog', '40.jpg,the sign says stop"'
    rows = read("image,caption\n" + "\n".join(lines))
    assert rows == [tuple(line.split(",", 1)) for line in lines]
    by_number = [line.replace(".jpg", "") for line in lines]
    assert read("image,caption\n" + "\n".join(by_number)) == [tuple(line.split(",", 1)) for line in by_number]


def test_the_header_may_be_quoted_spelt_large_and_have_more_columns():
    assert read('"Image";"Split";"Caption"\n"1.jpg";"train";"a; b"\n') == [("1.jpg", "a; b")]
    assert read("IMAGE,Caption,\n1.jpg,a dog,\n\n,,\n") == [("1.jpg", "a dog")]


def test_a_comma_is_the_captions_wherever_its_column_stands():
    assert read("caption,image\na dog, a cat,1.jpg\n") == [("1.jpg", "a dog, a cat")]
    assert read("image,caption,split\n1.jpg,a dog, a cat,train\n2.jpg,a dog\n") == [("1.jpg", "a dog, a cat"), 3]


def test_no_caption_is_too_long_and_none_loses_a_character():
    long = 'a "dog", ' * 120_000 + "\0 end"
    assert read(f"image,caption\n1.jpg,{long}\n2.jpg,a cat\n") == [("1.jpg", long), ("2.jpg", "a cat")]
    doubled = long.replace('"', '""')
    assert read(f'image,caption\n1.jpg,"{doubled}"\n2.jpg,a cat\n') == [("1.jpg", long), ("2.jpg", "a cat")]


@pytest.mark.parametrize("text", ["", "\n", "1.jpg,a dog\n", "image\n1.jpg\n", "image caption\n1.jpg a dog\n"])
def test_what_names_no_photo_or_no_caption_is_no_table(text):
    assert parse_table(text, PHOTO) is None

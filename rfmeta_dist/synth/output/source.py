"""Strip comments and docstrings from Python source, so that a hash over it changes only with the code."""

from __future__ import annotations

import ast
import io
import tokenize

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_Span = tuple[tuple[int, int], tuple[int, int]]  # line from 1 and column in characters, of start and end


def bare(source: str) -> str:
    """Return a module's source without comments, docstrings, blank lines and spaces at line ends.

    The text is cut rather than printed from a syntax tree, so that every version of Python returns the same.

    Args:
        source: text of the module.
    """
    lines = source.splitlines()
    for (first, start), (last, end) in sorted([*_docstrings(source), *_comments(source)], reverse=True):
        lines[first - 1 : last] = [lines[first - 1][:start] + lines[last - 1][end:]]
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _comments(source: str) -> list[_Span]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return [(token.start, token.end) for token in tokens if token.type == tokenize.COMMENT]


def _docstrings(source: str) -> list[_Span]:
    lines = source.splitlines()

    def place(line: int, offset: int) -> tuple[int, int]:
        return line, len(lines[line - 1].encode()[:offset].decode())  # ast counts bytes

    spans = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            text = node.body[0]
            assert text.end_lineno is not None
            assert text.end_col_offset is not None
            spans.append((place(text.lineno, text.col_offset), place(text.end_lineno, text.end_col_offset)))
    return spans

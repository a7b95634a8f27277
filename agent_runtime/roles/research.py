"""
The researcher: searches a small library, reads what it found, takes out the figures and cites them.

Its library is `data/library.json`, a dozen short articles.
"""

from __future__ import annotations

import re
from typing import Any

from agent_runtime.roles.assistant import question_in
from agent_runtime.roles.data_files import load
from agent_runtime.tools import Role, Tool, ToolRefused, latest

WORD = re.compile(r"[a-z]{3,}")
SENTENCE = re.compile(r"(?<=[.!?])\s+")
COMMON = frozenset({"and", "the", "for", "with", "what", "how", "why", "are", "does", "from", "that", "this"})
DEFAULT_QUESTION = "How do bees keep their hive warm in winter?"

PROMPT = """\
You are a research agent with a small library. Search it for the question, read the best article, list the
figures in it and cite it. Then answer the question in a short paragraph that names the article.
If the library has nothing on the question, say so."""


class Library:
    """The articles, and ways to look at them."""

    def __init__(self, articles: list[dict[str, Any]]) -> None:
        self._articles = {article["article_id"]: article for article in articles}
        self._words = {
            article["article_id"]: _words(f"{article['title']} {article['title']} {article['text']}")
            for article in articles
        }

    def search(self, query: str) -> dict[str, Any]:
        """The articles that share most words with the query, the best of them first."""
        wanted = set(_words(query))
        scores = {
            article_id: sum(1.0 for word in words if word in wanted) / (len(words) ** 0.5)
            for article_id, words in self._words.items()
        }
        best = sorted((name for name in scores if scores[name] > 0), key=lambda name: (-scores[name], name))[
            :3
        ]
        if not best:
            raise ToolRefused("nothing in the library is about that")
        hits = [
            {"id": name, "title": self._articles[name]["title"], "score": round(scores[name], 3)}
            for name in best
        ]
        return {"hits": hits, "article_id": best[0]}

    def read(self, article_id: str) -> dict[str, Any]:
        """One article in full."""
        return dict(self._article(article_id))

    def figures(self, article_id: str) -> dict[str, Any]:
        """The sentences of an article that state a number."""
        sentences = SENTENCE.split(self._article(article_id)["text"])
        stated = [sentence for sentence in sentences if any(letter.isdigit() for letter in sentence)]
        return {"article_id": article_id, "figures": stated}

    def cite(self, article_id: str) -> dict[str, Any]:
        """How the article is cited."""
        article = self._article(article_id)
        return {"article_id": article_id, "citation": f"“{article['title']}”, library article {article_id}"}

    def summary(self, done: list[dict[str, Any]]) -> dict[str, Any]:
        """What the answer stands on."""
        cited, figures = latest(done, "cite"), latest(done, "list_figures")
        return {"citation": cited.get("citation"), "figures": figures.get("figures", [])}

    def _article(self, article_id: str) -> dict[str, Any]:
        if article_id not in self._articles:
            raise ToolRefused(f"there is no article {article_id}")
        return self._articles[article_id]


def make_research() -> Role:
    """The researcher."""
    library = Library(load("library")["articles"])
    article_id = {"type": "string", "description": "as found by search_library"}
    tools = (
        Tool(
            "search_library",
            "Search the library; returns the best articles.",
            {"query": {"type": "string", "description": "what to look for, in a few words"}},
            library.search,
        ),
        Tool("read_article", "Read an article in full.", {"article_id": article_id}, library.read),
        Tool("list_figures", "The figures an article states.", {"article_id": article_id}, library.figures),
        Tool("cite", "How to cite an article.", {"article_id": article_id}, library.cite),
    )
    return Role("research", PROMPT, tools, _question, library.summary)


def _question(given: Any) -> str:
    return DEFAULT_QUESTION if given is None or given == {} or given == "" else question_in(given)


def _words(text: str) -> list[str]:
    return [word for word in WORD.findall(text.lower()) if word not in COMMON]

"""What a page of the site has beyond its text: head, launch buttons, sitemap.

One setting, `repository: url` of `_config.yml`, turns on what needs a public place: the buttons
that run a chapter on Binder, on Colab or in the page itself, and the addresses in the sitemap and
in previews of links. Without it the pages ask nothing of any other place.
"""

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

#: The picture in previews of links, below the folder of the book.
CARD = "images/card.png"
GLOSSARY = "glossary"  # the page of that name
DESCRIPTION = 155  # characters that previews and search engines show

#: What the libraries write against the rules of accessibility -> what takes its place.
ACCESSIBLE = {
    # The name of a fold is what stands on it.
    '<summary aria-label="Toggle hidden content">': "<summary>",
    # A list may only have items; and an entry's role is for elements of lists.
    '<div role="list" class="citation-list">': '<div class="citation-list">',
    ' role="doc-biblioentry"': "",
}
EMPTY_HEADING = re.compile(r"<th( class=\"[^\"]*\")?>(?:<p></p>)?\s*</th>")  # heads no column

NOT_FOUND = """\
<section><h1>This page is not here</h1>
<p>It may have moved. <a href="{root}">The first page</a> leads to all others, and the search
knows their words.</p></section>
"""


def set_launch_buttons(app: Sphinx, config: Config) -> None:
    """Keep the launch buttons where the repository's address is known, and drop them elsewhere.

    With an address on GitHub and none for the site, the site is taken to be its Pages.
    """
    options = config.html_theme_options
    repository = options.get("repository_url", "")
    if not repository:
        options.pop("launch_buttons", None)
        options.pop("repository_url", None)
        return
    config.thebe_config = {
        **(config.thebe_config or {}),
        "repository_url": repository,
        "repository_branch": options.get("repository_branch", "main"),
        "path_to_docs": options.get("path_to_docs", ""),
    }
    url = urlsplit(repository)
    if url.netloc == "github.com" and not config.html_baseurl:
        owner, name = url.path.strip("/").removesuffix(".git").split("/")
        config.html_baseurl = f"https://{owner.lower()}.github.io/{name}/"


def fill_head(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Give the template the page's description and card, and each script once."""
    found = _description(doctree) if doctree else ""
    context["description"] = found or f"{app.config.html_title}: {page}"
    base = app.config.html_baseurl
    context["html_baseurl"] = base
    if base and (Path(app.srcdir) / CARD).exists():
        context["card"] = f"{base.rstrip('/')}/{CARD}"
    # docutils adds a viewport of its own to the one that the template has.
    context["metatags"] = re.sub(r'<meta name="viewport"[^>]*>', "", context.get("metatags", ""))
    live = bool(app.config.html_theme_options.get("launch_buttons"))
    scripts, kept = context.get("script_files", []), []
    seen: set[tuple[str, str]] = set()  # sphinx-thebe and sphinx-togglebutton add theirs twice
    for script in scripts:
        body = str(getattr(script, "attributes", {}).get("body", ""))
        name = str(getattr(script, "filename", script) or "")
        if (name, body) in seen or (not live and "thebe" in (name + body).lower()):
            continue
        seen.add((name, body))
        kept.append(script)
    context["script_files"] = kept
    if not live and "css_files" in context:
        context["css_files"] = [one for one in context["css_files"] if "thebe" not in str(one)]


def _description(doctree: nodes.document) -> str:
    """The first sentences of a page, as long as a preview of a link shows them."""
    for paragraph in doctree.findall(nodes.paragraph):
        if isinstance(paragraph.parent, nodes.section) and len(text := paragraph.astext()) > 40:
            text = " ".join(text.split())
            if len(text) <= DESCRIPTION:
                return text
            return text[: text.rfind(" ", 0, DESCRIPTION)].rstrip(" ,;:–-") + " …"
    return ""


def mend_body(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Put right what keeps a screen reader from a page's text."""
    body = context.get("body")
    if isinstance(body, str):
        for wrong, right in ACCESSIBLE.items():
            body = body.replace(wrong, right)
        context["body"] = EMPTY_HEADING.sub(r"<td\1></td>", body)


def give_plain_ids(app: Sphinx, doctree: nodes.document) -> None:
    """Give each section whose id has a dot another, for the theme's table of contents.

    Its script takes an id for a CSS selector, in which `thm-5.2` means something else. What links
    to the old id still finds it, in the heading.
    """
    for section in doctree.findall(nodes.section):
        dotted = [name for name in section["ids"] if "." in name]
        if dotted and isinstance(section[0], nodes.title):
            section["ids"] = [nodes.make_id(section["ids"][0])]
            section[0].insert(0, nodes.target("", "", ids=dotted))


def mark_findings(app: Sphinx, doctree: nodes.document) -> None:
    """Give what stands in bold right below a heading, which is what its section finds, a class.

    The notebooks have it in bold, so that it stands out wherever they are opened.
    """
    for section in doctree.findall(nodes.section):
        below = section.children[1:2]
        if below and isinstance(below[0], nodes.paragraph):
            # MyST leaves empty texts beside it.
            inside = [node for node in below[0].children if node.astext()]
            if len(inside) == 1 and isinstance(inside[0], nodes.strong):
                below[0]["classes"].append("finding")


def tell_terms(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Give each link to the glossary its entry's text, which a reader sees who points at it."""
    if GLOSSARY not in app.env.found_docs:
        return
    links = [
        link
        for link in doctree.findall(nodes.reference)
        if "#term-" in link.get("refuri", "") or link.get("refid", "").startswith("term-")
    ]
    if not links:
        return
    texts = {
        name: " ".join(item[-1].astext().split())
        for item in app.env.get_doctree(GLOSSARY).findall(nodes.definition_list_item)
        for term in item.findall(nodes.term)
        for name in term["ids"]
    }
    for link in links:
        target = link.get("refid") or link["refuri"].partition("#")[2]
        link["reftitle"] = texts.get(target, "")


def not_found(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """The page that a server shows for an address which is none."""
    root = html.escape(app.config.html_baseurl or f"{app.config.root_doc}.html")
    context = {"title": "Not found", "body": NOT_FOUND.format(root=root)}
    yield "404", context, "page.html"


def write_neighbours(app: Sphinx, exception: Exception | None) -> None:
    """Write the sitemap, where the site's address is known, and copy the card beside the pages."""
    base = app.config.html_baseurl.rstrip("/")
    if exception or app.builder.format != "html" or not base:
        return
    out = Path(app.outdir)
    card = Path(app.srcdir) / CARD
    if card.exists():
        (out / CARD).parent.mkdir(exist_ok=True)
        (out / CARD).write_bytes(card.read_bytes())
    pages = (f"  <url><loc>{base}/{name}.html</loc></url>" for name in sorted(app.env.found_docs))
    lines = (
        '<?xml version="1.0" encoding="utf-8"?>',
        '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">',
        *pages,
        "</urlset>\n",
    )
    (out / "sitemap.xml").write_text("\n".join(lines), encoding="utf-8")


def connect(app: Sphinx) -> None:
    """Have Sphinx call the functions of this module."""
    app.connect("config-inited", set_launch_buttons, priority=900)
    app.connect("doctree-read", give_plain_ids, priority=100)  # before the contents are collected
    app.connect("doctree-read", mark_findings)
    app.connect("doctree-resolved", tell_terms)
    app.connect("html-collect-pages", not_found)
    app.connect("html-page-context", fill_head, priority=900)  # after those that add scripts
    app.connect("html-page-context", mend_body)
    app.connect("build-finished", write_neighbours)

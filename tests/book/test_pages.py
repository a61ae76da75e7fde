"""What a page has beyond its text: one setting for what needs a public place, and what mends the markup."""

from types import SimpleNamespace

import nbformat
import pytest
from bs4 import BeautifulSoup
from docutils import nodes

from localbias.book import pages
from localbias.store import ROOT


def config(**options):
    return SimpleNamespace(
        html_theme_options={"launch_buttons": {"binderhub_url": "https://mybinder.org"}, **options},
        thebe_config={},
        html_baseurl="",
    )


def test_without_an_address_there_is_nothing_to_launch():
    given = config(repository_url="")
    pages.set_launch_buttons(None, given)
    assert given.html_theme_options == {} and given.html_baseurl == ""


@pytest.mark.parametrize(
    "url", ["https://github.com/Owner/name", "https://github.com/Owner/name.git"]
)
def test_one_setting_turns_on_the_buttons_and_names_the_site(url):
    given = config(repository_url=url, repository_branch="main", path_to_docs="book")
    pages.set_launch_buttons(None, given)
    assert given.html_theme_options["launch_buttons"]
    assert given.thebe_config["repository_url"] == url
    assert given.html_baseurl == "https://owner.github.io/name/"


def test_an_address_of_the_site_is_kept():
    given = config(repository_url="https://github.com/owner/name")
    given.html_baseurl = "https://example.org/"
    pages.set_launch_buttons(None, given)
    assert given.html_baseurl == "https://example.org/"


def test_markup_that_a_screen_reader_stumbles_on_is_mended():
    context = {
        "body": '<summary aria-label="Toggle hidden content"><p>Show</p></summary>'
        '<th class="head text-left"><p></p></th><th class="head"><p>name</p></th>'
    }
    pages.mend_body(None, "page", "page.html", context, None)
    page = BeautifulSoup(context["body"], "html.parser")
    assert not page.summary.attrs and page.td["class"] == ["head", "text-left"]
    assert [heading.text for heading in page.select("th")] == ["name"]


def test_a_section_has_an_id_that_is_a_selector_and_keeps_the_one_with_a_dot():
    section = nodes.section("", nodes.title(text="Theorem"), ids=["check-thm-5.2"])
    pages.give_plain_ids(None, section)
    assert section["ids"] == ["check-thm-5-2"]
    assert section[0][0]["ids"] == ["check-thm-5.2"]


def test_what_a_section_finds_has_a_class_of_its_own():
    bold = nodes.paragraph("", "", nodes.Text(""), nodes.strong(text="Found."))
    partly = nodes.paragraph("", "", nodes.strong(text="Found"), nodes.Text(" in part."))
    sections = [nodes.section("", nodes.title(text="S"), one) for one in (bold, partly)]
    pages.mark_findings(None, nodes.section("", *sections))
    assert bold["classes"] == ["finding"] and partly["classes"] == []


@pytest.mark.parametrize("page", ["intro", "ledger", "notebooks/01_synthetic_hallucination", "404"])
def test_a_page_says_what_it_is_once(site, page):
    html = BeautifulSoup((site / f"{page}.html").read_text(encoding="utf-8"), "html.parser")
    assert len(html.select("meta[name=viewport]")) == 1
    assert 10 < len(html.select_one("meta[name=description]")["content"]) <= pages.DESCRIPTION + 10
    icon = html.select_one("link[rel=icon]")["href"]
    assert (site / page).parent.joinpath(icon.partition("?")[0]).exists()
    scripts = [script["src"] for script in html.select("script[src]")]
    assert len(scripts) == len(set(scripts)) and not any("thebe" in script for script in scripts)
    assert not html.select('a[href*="mybinder"], a[href*="colab"]')  # no address is set
    assert not (site / "sitemap.xml").exists()


def test_with_an_address_there_are_a_sitemap_and_a_card(tmp_path):
    (tmp_path / "src/images").mkdir(parents=True)
    (tmp_path / "src" / pages.CARD).write_bytes(b"picture")
    (tmp_path / "out").mkdir()
    app = SimpleNamespace(
        config=SimpleNamespace(html_baseurl="https://example.org/book/"),
        builder=SimpleNamespace(format="html"),
        outdir=tmp_path / "out",
        srcdir=tmp_path / "src",
        env=SimpleNamespace(found_docs={"intro", "notebooks/01"}),
    )
    pages.write_neighbours(app, None)
    text = (tmp_path / "out/sitemap.xml").read_text(encoding="utf-8")
    assert "<loc>https://example.org/book/intro.html</loc>" in text and text.count("<url>") == 2
    assert (tmp_path / "out" / pages.CARD).read_bytes() == b"picture"


def test_buttons_lead_to_binder_to_colab_and_to_live_code(build, tmp_path):
    book = tmp_path / "book"
    (book / "notebooks").mkdir(parents=True)
    config = (ROOT / "_config.yml").read_text(encoding="utf-8")
    assert '  url: ""' in config
    address = "https://github.com/owner/name"
    (book / "_config.yml").write_text(config.replace('  url: ""', f"  url: {address}"))
    for name in ("references.bib", "_static", "_templates"):
        (book / name).symlink_to(ROOT / "book" / name)
    (book / "_toc.yml").write_text(
        "format: jb-book\nroot: intro\nchapters:\n  - file: notebooks/01_toy\n"
    )
    (book / "intro.md").write_text("# Book\n\nA book with one chapter, for its launch buttons.\n")
    nb = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell("# Toy"), nbformat.v4.new_code_cell("1 + 1")],
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "language_info": {"name": "python"},
        },
    )
    nbformat.write(nb, book / "notebooks/01_toy.ipynb")
    pages_of_toy = build(book, tmp_path / "out")
    chapter = (pages_of_toy / "notebooks/01_toy.html").read_text(encoding="utf-8")
    html = BeautifulSoup(chapter, "html.parser")
    place = "book/notebooks/01_toy.ipynb"
    links = [link["href"] for link in html.select("a[href]")]
    assert f"https://mybinder.org/v2/gh/owner/name/main?urlpath=lab/tree/{place}" in links
    assert f"https://colab.research.google.com/github/owner/name/blob/main/{place}" in links
    assert html.find(attrs={"onclick": "initThebeSBT()"})
    assert len(html.find_all("script", string=lambda text: text and "THEBE_JS_URL" in text)) == 1
    assert '"owner/name"' in html.find("script", type="text/x-thebe-config").text
    assert "owner.github.io/name/intro.html" in (pages_of_toy / "sitemap.xml").read_text()


def test_the_style_of_figures_stands_off_from_either_page():
    """WCAG's ratio of luminances: 3:1 for lines, 4:1 for text, on white and on the theme's dark page."""
    from matplotlib.colors import to_rgb

    from localbias.figures import style

    def luminance(colour):
        return sum(
            weight * (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4)
            for weight, part in zip((0.2126, 0.7152, 0.0722), to_rgb(colour))
        )

    shades = [(tuple(colour[:3]), 2.1) for colour in style.shades(8)]
    for colour, least in ((style.INK, 4), (style.DARK, 2.9), (style.GREY, 2.9), *shades):
        for page in ("#ffffff", "#121212"):
            low, high = sorted((luminance(colour), luminance(page)))
            assert (high + 0.05) / (low + 0.05) > least, (colour, page)


def test_a_link_to_the_glossary_tells_its_entry(site):
    html = BeautifulSoup((site / "glossary.html").read_text(encoding="utf-8"), "html.parser")
    link = html.select_one('dd a[href="#term-DDIM"]')
    assert link["title"].startswith("A sampler that adds no noise")


def test_the_icon_is_small():
    assert (ROOT / "book/_static/favicon.svg").stat().st_size < 2000

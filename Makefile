# `make book` and `make test` need this checkout, Python 3.11 or newer and, the first time, a network.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed
EXTRAS := .[book,test]
VENDOR := book/vendor
PACKAGES := $(VENDOR)/node_modules
SCRIPTS := $(VENDOR)/static

.PHONY: help environment scripts book pdf lint test coverage lock clean

help:
	@echo "make book   set up .venv, run the stale chapters, build the site (book/_build/html/index.html)"
	@echo "make test   set up .venv, run the tests and execute the committed chapters again"
	@echo "make coverage  the same, and the share of src's lines that it runs"
	@echo "make pdf    the whole book as book/_build/book.pdf, with chromium"
	@echo "make lint   set up .venv, hold the code to its style, its types and the floors of the house"
	@echo "make lock   resolve both constraints.txt anew from pyproject.toml"
	@echo "make clean  remove the site and what was fetched for it"
	@echo "PYTHON=python3.12 make book   chooses the Python of .venv"

environment: $(INSTALLED)

# The stamp is newer than both files until one of them changes: a second make installs nothing.
$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version.split()[0]; sys.exit(sys.version_info < (3, 11) and \
		f"localbias needs Python 3.11 or newer; $(PYTHON) is {v}. Try: make PYTHON=python3.11 $(MAKECMDGOALS)")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -e '$(EXTRAS)' -c constraints.txt
	@touch $@

# Not a condition: without npm, or without a network, the pages name the scripts' CDNs.
scripts:
	@$(MAKE) -s --no-print-directory $(SCRIPTS) 2> /dev/null || \
		echo "the pages' scripts were not fetched with npm; the pages load them from their CDNs"


book: $(INSTALLED) scripts
	$(BIN)/localbias notebooks
	$(BIN)/jupyter-book build book/

# The whole book on paper, printed by a browser; CHROMIUM names another one.
CHROMIUM ?= $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)
pdf: $(INSTALLED) scripts
	@test -n "$(CHROMIUM)" || { echo "make pdf needs chromium; CHROMIUM=path names it"; exit 1; }
	$(BIN)/jupyter-book build book/ --builder singlehtml
	$(CHROMIUM) --headless --no-sandbox --disable-gpu --virtual-time-budget=60000 --no-pdf-header-footer \
		--print-to-pdf=book/_build/book.pdf "file://$(CURDIR)/book/_build/singlehtml/index.html"
	@echo "book/_build/book.pdf"

# A worker a core; the tests of a file, and the cells of a chapter, stay on one worker. PYTEST adds options.
test: $(INSTALLED) scripts
	$(BIN)/python -m pytest --nbval -n logical --dist loadfile $(PYTEST)

# Every process that imports localbias is measured: workers, the commands that tests start, the chapters' kernels.
coverage: export COVERAGE_PROCESS_START = $(CURDIR)/pyproject.toml
coverage: export COVERAGE_FILE = $(CURDIR)/.coverage
coverage: test
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --skip-covered

lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

# Of what npm fetches the pages load mathjax without its menu and voice, and the fonts that it asks for.
$(SCRIPTS): $(VENDOR)/package-lock.json Makefile
	@command -v npm > /dev/null
	@cd $(VENDOR) && npm ci --silent --no-audit --no-fund --ignore-scripts --fetch-retries=0
	@rm -rf $@ && mkdir -p $@/mathjax/a11y $@/mathjax/output $@/mathjax/fonts/mathjax-newcm-font
	@cd $(PACKAGES)/mathjax && cp -R startup.js core.js input LICENSE $(CURDIR)/$@/mathjax
	@cp $(PACKAGES)/mathjax/output/chtml.js $@/mathjax/output
	@cp $(PACKAGES)/mathjax/a11y/assistive-mml.js $@/mathjax/a11y
	@cd $(PACKAGES)/@mathjax/mathjax-newcm-font && \
		cp -R chtml chtml.js $(CURDIR)/$@/mathjax/fonts/mathjax-newcm-font

# In a scratch copy, where uv has an environment of its own. Snakemake holds some libraries back, so sweeps have
# constraints of their own; what it does not hold back stands there as in the others.
lock:
	@set -e; scratch=$$(mktemp -d); trap 'rm -rf "$$scratch"' EXIT; \
	$(PYTHON) -m venv "$$scratch/uv"; "$$scratch/uv/bin/python" -m pip install --quiet uv; \
	cp -R pyproject.toml README.md LICENSE src "$$scratch"; \
	unset UV_FIND_LINKS UV_EXTRA_INDEX_URL; cd "$$scratch"; \
	compile="uv/bin/uv pip compile --quiet --universal --no-annotate --no-header pyproject.toml"; \
	$$compile --extra book --extra test --extra models --output-file constraints.txt > /dev/null; \
	cp constraints.txt workflow.txt; $$compile --extra workflow --output-file workflow.txt > /dev/null; \
	cp constraints.txt "$(CURDIR)"; cp workflow.txt "$(CURDIR)/workflow/constraints.txt"

clean:
	rm -rf book/_build $(SCRIPTS) $(PACKAGES)

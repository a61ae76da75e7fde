# `make book` and `make test` need this checkout, Python 3.11 or newer and, the first time, a network.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed
EXTRAS := .[book,test]
VENDOR := book/vendor
MATHJAX := $(VENDOR)/static/mathjax

.PHONY: help environment mathjax book test lock clean

help:
	@echo "make book   set up .venv, run the stale chapters, build the site (book/_build/html/index.html)"
	@echo "make test   set up .venv, run the tests and execute the committed chapters again"
	@echo "make lock   resolve constraints.txt anew from pyproject.toml"
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

# Not a condition: without npm, or without a network, the pages name mathjax's CDN.
mathjax:
	@$(MAKE) -s --no-print-directory $(MATHJAX) 2> /dev/null || \
		echo "mathjax was not fetched with npm; the pages load it from its CDN"

book: $(INSTALLED) mathjax
	$(BIN)/localbias notebooks
	$(BIN)/jupyter-book build book/

test: $(INSTALLED) mathjax
	$(BIN)/python -m pytest --nbval

# Of the package's 24 MB a page loads one script and the fonts.
$(MATHJAX): $(VENDOR)/package-lock.json
	@command -v npm > /dev/null
	@cd $(VENDOR) && npm ci --silent --no-audit --no-fund --ignore-scripts --fetch-retries=0
	@rm -rf $@ && mkdir -p $@/output/chtml
	@cp $(VENDOR)/node_modules/mathjax/es5/tex-mml-chtml.js $(VENDOR)/node_modules/mathjax/LICENSE $@
	@cp -R $(VENDOR)/node_modules/mathjax/es5/output/chtml/fonts $@/output/chtml

# In a scratch copy: uv.lock names registry addresses and is not kept. uv's own environment lies there too.
lock:
	@set -e; scratch=$$(mktemp -d); trap 'rm -rf "$$scratch"' EXIT; \
	$(PYTHON) -m venv "$$scratch/uv"; "$$scratch/uv/bin/python" -m pip install --quiet uv; \
	cp -R pyproject.toml README.md LICENSE src "$$scratch"; \
	unset UV_FIND_LINKS UV_EXTRA_INDEX_URL; \
	(cd "$$scratch" && uv/bin/uv lock --quiet && \
		uv/bin/uv export --quiet --all-extras --no-hashes --no-emit-project --no-annotate --no-header) \
		> "$$scratch/constraints.txt"; \
	cp "$$scratch/constraints.txt" constraints.txt

clean:
	rm -rf book/_build $(VENDOR)/static $(VENDOR)/node_modules

# `make book` and `make test` need this checkout, Python 3.11 or newer and, the first time, a network.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed
EXTRAS := .[book,test]
VENDOR := book/vendor
PACKAGES := $(VENDOR)/node_modules
SCRIPTS := $(VENDOR)/static
HTML_MANAGER := @jupyter-widgets/html-manager/dist

.PHONY: help environment scripts book lint test coverage lock clean

help:
	@echo "make book   set up .venv, run the stale chapters, build the site (book/_build/html/index.html)"
	@echo "make test   set up .venv, run the tests and execute the committed chapters again"
	@echo "make coverage  the same, and the share of src's lines that it runs"
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

# Of 43 MB the pages load three scripts and their fonts. The bundle of html-manager holds the packages that it needs, so
# package-lock.json does without them: whoever changes a version takes its "dependencies" and what they bring out again.
$(SCRIPTS): $(VENDOR)/package-lock.json
	@command -v npm > /dev/null
	@cd $(VENDOR) && npm ci --silent --no-audit --no-fund --ignore-scripts --fetch-retries=0
	@rm -rf $@ && mkdir -p $@/mathjax/output/chtml $@/widgets/$(HTML_MANAGER)
	@cp $(PACKAGES)/mathjax/es5/tex-mml-chtml.js $(PACKAGES)/mathjax/LICENSE $@/mathjax
	@cp -R $(PACKAGES)/mathjax/es5/output/chtml/fonts $@/mathjax/output/chtml
	@cp $(PACKAGES)/requirejs/require.js $@/widgets
	@cp $(addprefix $(PACKAGES)/$(HTML_MANAGER)/,embed-amd.js *.txt *.woff2) $@/widgets/$(HTML_MANAGER)

# In a scratch copy, where uv has an environment of its own. Snakemake holds some libraries back, so sweeps have
# constraints of their own; what it does not hold back stands there as in the others.
lock:
	@set -e; scratch=$$(mktemp -d); trap 'rm -rf "$$scratch"' EXIT; \
	$(PYTHON) -m venv "$$scratch/uv"; "$$scratch/uv/bin/python" -m pip install --quiet uv; \
	cp -R pyproject.toml README.md LICENSE src "$$scratch"; \
	unset UV_FIND_LINKS UV_EXTRA_INDEX_URL; cd "$$scratch"; \
	compile="uv/bin/uv pip compile --quiet --universal --no-annotate --no-header pyproject.toml"; \
	$$compile --extra book --extra test --output-file constraints.txt > /dev/null; \
	cp constraints.txt workflow.txt; $$compile --extra workflow --output-file workflow.txt > /dev/null; \
	cp constraints.txt "$(CURDIR)"; cp workflow.txt "$(CURDIR)/workflow/constraints.txt"

clean:
	rm -rf book/_build $(SCRIPTS) $(PACKAGES)

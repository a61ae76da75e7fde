"""What pytest does with the committed chapters, which `pytest --nbval` executes again."""


def pytest_collection_modifyitems(items):
    # Progress bars go to stderr. They differ from run to run and are no fact of a chapter.
    for item in items:
        if hasattr(item.parent, "skip_compare") and "stderr" not in item.parent.skip_compare:
            item.parent.skip_compare += ("stderr",)

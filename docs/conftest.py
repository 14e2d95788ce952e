"""What pytest leaves alone here: programs, which tests/integration/test_coming.py runs as such."""

collect_ignore_glob = ["coming/*/*.py", "notebooks.py", "conf.py", "public_names.py"]

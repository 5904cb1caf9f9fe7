"""The `syncwatch` command line: a module for each noun, with its words and what they do."""

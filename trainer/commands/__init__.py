"""Commands of ``trainer``, a module each; registered in ``trainer/cli.py``."""

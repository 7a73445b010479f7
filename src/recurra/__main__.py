"""``python -m recurra``."""

from recurra.cli.main import console

if __name__ == "__main__":
    console()

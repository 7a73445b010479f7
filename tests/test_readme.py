"""The Python examples of the README run as they stand, and the commands there and in the guides exist."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDES = {
    name: (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    for name in (
        "text",
        "words",
        "lines",
        "scoring",
        "recurrent",
        "cell-speed",
        "explain",
        "how-a-recurrent-network-computes",
        "classify",
        "tag",
        "translate",
        "data-sets",
    )
}


def test_the_python_examples_run(tmp_path):
    # the guides to scoring and to explanations go on with the README's run, the last ones make their own
    guides = ("scoring", "recurrent", "explain", "how-a-recurrent-network-computes", "classify", "tag", "translate")
    texts = README + "".join(GUIDES[name] for name in guides)
    blocks = re.findall(r"```python\n(.*?)```", texts, re.DOTALL)
    program = tmp_path / "readme.py"
    program.write_text("\n".join(blocks), encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-W", "error", program],
        cwd=tmp_path,
        env={**os.environ, "RECURRA_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        timeout=240,
    )

    assert len(blocks) >= 3
    assert done.returncode == 0, done.stderr


def test_every_command_and_option_in_the_readme_and_the_guides_exists():
    help_texts = {}
    texts = "\n".join([README, *GUIDES.values()])
    for command, rest in re.findall(
        r"recurra (train \w+|generate|predict|evaluate|score|resume|config \w+|data|cells|cite|explain)\b([^\n`]*)",
        # a backslash goes on with the line
        texts.replace("\\\n", " "),
    ):
        if command not in help_texts:
            done = subprocess.run(
                [sys.executable, "-m", "recurra", *command.split(), "--help"], capture_output=True, text=True
            )
            assert done.returncode == 0, f"there is no recurra {command}"
            help_texts[command] = done.stdout
        for option in re.findall(r"--[a-z][a-z-]+", rest):
            assert option in help_texts[command], f"recurra {command} has no {option}"

import logging

from recurra.data.quiet_loggers import quiet


def test_only_errors_are_told_and_only_inside(caplog):
    logger = logging.getLogger("some_package")
    logger.setLevel(logging.INFO)
    below = logger.getChild("part")

    with quiet(logger):
        below.warning("retrying")
        below.error("broken")
    below.info("done")

    assert caplog.messages == ["broken", "done"]

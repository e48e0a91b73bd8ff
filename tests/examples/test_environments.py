"""The example `environments`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from modules import beside
from reader import ROOT, typed

if TYPE_CHECKING:
    from reader import Ran, Reader

HERE = "examples/environments"
IMAGE = "registry.together.ai/proj_demo/llm"
FIRST = f"{IMAGE}@sha256:{'1' * 64}"
SECOND = f"{IMAGE}@sha256:{'2' * 64}"
ONE_SENTENCE = re.compile(r"^(?!.*Traceback).*\.$")


def squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("\\\n", " "))


def up(reader: Reader, stack: str) -> Ran:
    return reader.one(f"pulumi up --yes --skip-preview --stack {stack}", where=HERE)


# --- The whole story --------------------------------------------------------------


def test_the_tour_goes_from_nothing_to_nothing(reader: Reader) -> None:
    """Promotion, refusals, a limit, a roll back and the end, as the script says."""
    ran = reader.one("./tour.sh", where=HERE)

    assert ran.status == 0, ran.output
    said = squeezed(ran.output)
    for sentence in (
        "staging: dev has not served any image yet, so there is nothing to promote; "
        "bring dev up first.",
        f"prod: staging has not served {IMAGE}@sha256:",
        "must not have more than 4 GPUs when all its replicas run",
        "# Done.",
    ):
        assert sentence in said
    assert reader.live() == []


def test_the_page_types_what_the_tour_plays() -> None:
    """Every command on the page is one of the script's."""
    page = (ROOT / HERE / "README.md").read_text()
    tour = squeezed((ROOT / HERE / "tour.sh").read_text())
    commands = [squeezed(one.command) for one in typed(page)]

    assert [one for one in commands if one not in tour] == []
    assert commands


# --- Bad input, through an engine -------------------------------------------------

ON_THE_REHEARSAL = pytest.mark.parametrize("engine", ["rehearsal"], indirect=True)


@ON_THE_REHEARSAL
def test_a_promotion_without_a_digest_is_refused(reader: Reader) -> None:
    """An image by its tag stays in dev; nothing is sent for staging."""
    reader.one("pulumi stack init staging && pulumi stack init dev", where=HERE)
    reader.one(f"pulumi config set image {IMAGE}:1.4", where=HERE)
    assert up(reader, "dev").status == 0
    written = reader.writes()

    ran = up(reader, "staging")

    assert ran.status != 0
    assert (
        f"staging: dev serves {IMAGE}:1.4, which has no digest and so could be pushed "
        "again; give dev the image as REGISTRY/NAME@sha256:DIGEST."
    ) in squeezed(ran.output)
    assert written == reader.writes()


def test_a_reference_to_no_stack_is_refused(reader: Reader) -> None:
    """The engine names the stack that there is not; nothing is sent."""
    reader.one("pulumi stack init staging", where=HERE)

    ran = up(reader, "staging")

    assert ran.status != 0
    assert 'unknown stack "organization/environments/dev"' in ran.output
    assert reader.writes() == 0


@ON_THE_REHEARSAL
def test_two_stacks_cannot_claim_one_name(reader: Reader) -> None:
    """The second is told whose it is; the first goes on as it was."""
    for stack in ("dev", "test"):
        reader.run(
            f"cp -n Pulumi.dev.yaml Pulumi.{stack}.yaml\n\n"
            f"pulumi stack init {stack}\n\n"
            f"pulumi config set image {FIRST}\n\n"
            "pulumi config set --path service.name acme-llm",
            where=HERE,
        )
    assert up(reader, "dev").status == 0
    before = reader.live()

    ran = up(reader, "test")

    assert ran.status != 0
    assert "acme-llm" in ran.output
    assert "environments/dev" in ran.output
    assert before == reader.live()


# --- Bad input, in the two modules ------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "serves", "ran", "sentence"),
    [
        (None, None, None, "prod: staging has not served any image yet, so there is"),
        (None, FIRST, None, "prod: staging has not served any image yet, so there is"),
        (None, f"{IMAGE}:2", [f"{IMAGE}:2"], f"staging serves {IMAGE}:2, which has no"),
        (f"{IMAGE}:2", FIRST, [FIRST], f"configuration names {IMAGE}:2, which has no"),
        (SECOND, FIRST, [FIRST], f"prod: staging has not served {SECOND}; promote it"),
        (f"{FIRST}0", FIRST, [FIRST], "which has no digest"),
    ],
)
def test_an_image_that_may_not_run_is_refused_in_one_sentence(
    wanted: str | None, serves: object, ran: object, sentence: str
) -> None:
    """It says which environment, which image, why, and what to do."""
    promotion = beside("environments", "promotion")

    with pytest.raises(promotion.PromotionError) as caught:
        promotion.choose("prod", wanted, "staging", serves, ran)

    assert sentence in str(caught.value)
    assert ONE_SENTENCE.match(str(caught.value))


@pytest.mark.parametrize(
    ("wanted", "expected"), [(None, SECOND), (SECOND, SECOND), (FIRST, FIRST)]
)
def test_an_image_that_has_served_may_run(wanted: str | None, expected: str) -> None:
    """What serves there by default, or an earlier one by hand."""
    choose = beside("environments", "promotion").choose

    assert expected == choose("prod", wanted, "staging", SECOND, [SECOND, FIRST])


def test_what_has_served_is_remembered_newest_first() -> None:
    """Each once, and no more than can be looked through."""
    promotion = beside("environments", "promotion")

    assert [SECOND, FIRST] == promotion.remember(SECOND, [FIRST, SECOND])
    many = [str(number) for number in range(50)]
    assert promotion.REMEMBERED == len(promotion.remember(FIRST, many))


SOUND = {
    "gpu_type": "h100-80gb",
    "gpus": 1,
    "memory_gib": 64,
    "replicas": {"min": 1, "max": 1},
    "max_gpus": 2,
}


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (None, "Pulumi.qa.yaml has no environments:service; copy the one of"),
        ({**SOUND, "gpu": 1}, "Pulumi.qa.yaml: service.gpu: there is no such key."),
        ({**SOUND, "gpus": "1"}, "service.gpus: input should be a valid integer."),
        ({**SOUND, "replicas": {"min": 2, "max": 1}}, "max is 1, which is less than"),
        ({"gpus": 1}, "service.gpu_type: it is missing."),
        ("h100", "Pulumi.qa.yaml: service: input should be a valid dictionary"),
    ],
)
def test_a_slip_in_a_stack_s_file_is_one_sentence(data: object, sentence: str) -> None:
    """It says which file, where in it, and what is wrong."""
    settings = beside("environments", "settings")

    with pytest.raises(settings.SettingsError) as caught:
        settings.read(data, "qa")

    assert sentence in str(caught.value)

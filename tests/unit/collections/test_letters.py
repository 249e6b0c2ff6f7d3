"""What a borrower reads."""

from datetime import date

import pytest

from services.collections.letters import LANGUAGES, Reminding, amount_text, language_for, lessons, reminder_letter

KINDS = ("t-3", "t0", "t+1")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_written_in_every_language_and_the_subject_tells_nothing(kind: str, language: str) -> None:
    letter = reminder_letter(Reminding(kind, "loan-77", date(2026, 3, 10), 1_234_560, "CNY"), language, "m")
    assert letter.language == language
    assert "$" not in letter.text
    assert "loan-77" in letter.text
    assert not any(word in letter.subject for word in ("loan-77", "12,345", "overdue", "逾期", "还款", "due"))
    assert ("12,345.60" in letter.text) == (kind == "t+1")


def test_a_lesson_goes_with_every_kind_in_every_language() -> None:
    for kind in KINDS:
        assert [lesson for lesson in lessons() if kind in lesson.stages], kind
    assert all(set(lesson.texts) == set(LANGUAGES) for lesson in lessons())


def test_the_language_is_the_one_wanted_or_one_of_the_same_tongue_or_english() -> None:
    assert [language_for(one) for one in ("zh-CN", "zh-Hant-TW", "en-IN", "cs")] == ["zh-CN", "zh-CN", "en", "en"]


def test_amounts_are_grouped() -> None:
    assert amount_text(1_234_560, "CNY", "zh-CN") == "12,345.60元"
    assert amount_text(1_234_560, "CZK", "en") == "CZK 12,345.60"
    assert amount_text(1_234_560, "JPY", "en") == "JPY 1,234,560"

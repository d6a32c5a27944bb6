"""Explorers that run in time, without a screen: play, pause, step, hand, and a page's questions."""

from dataclasses import dataclass

import pytest

from bpbook.explorers.live import WORDS_EVERY, Live
from bpbook.explorers.settings import Points, Several, Slider


@dataclass
class Count:
    """Counts up by ``by``; finished at 1000."""

    by: int
    place: float
    steps: int = 0
    value: int = 0

    @property
    def finished(self) -> bool:
        return self.value >= 1000

    def step(self) -> None:
        if self.finished:
            return
        if self.by == 7:
            raise ValueError("7 is unlucky")
        self.steps += 1
        self.value += self.by

    def retune(self, by: int) -> None:
        self.by = by


class Counter(Live):
    title = "Counter"
    size = (2.0, 1.0)
    live = ("by",)
    by = Slider(1, min=0, max=9)
    place = Slider(0.0, min=-1.0, max=1.0, step=0.1)

    @staticmethod
    def simulate(by, place):
        return Count(by, place)

    @staticmethod
    def describe(data):
        return f"{data.value} after {data.steps} steps at {data.place:.1f}."

    def build(self, figure):
        self.hand_axes = figure.add_axes((0.25, 0.5, 0.5, 0.4))
        self.hand_axes.set(xlim=(-1, 1), ylim=(0, 1))
        (self._line,) = self.hand_axes.plot([0, 0], [0, 1], animated=True)

    def draw(self, data):
        self._line.set_data([data.value % 20 / 10 - 1] * 2, [0, 1])

    def hand(self, phase, x, y):
        self.told = phase, round(y, 3)
        if phase != "up":
            self.place = x


class Replaying(Counter):
    live = ()
    replays = True


class Page:
    """A page that shows an explorer: what it would ask, and what it would see."""

    def __init__(self, explorer, name="page"):
        explorer.widget  # noqa: B018 shown
        self.stage, self.name, self.questions = explorer._picture, name, 0

    def ask(self, kind, **more):
        self.questions += 1
        question = {"kind": kind, "question": f"{self.name} {self.questions}", **more}
        self.stage._handle_custom_msg(question, [])
        return self.stage.answer == question["question"]

    def frame(self, after=None):
        return self.ask("frame", after=self.stage.frame if after is None else after)


def buttons(explorer):
    row = explorer.widget.children[0].children[-1]
    return {b.description: b for b in row.children}


@pytest.fixture
def counter():
    return Counter()


# Steps.


def test_step_goes_on_from_where_it_is_and_gives_the_explorer_back(counter):
    assert counter.step().step(3) is counter
    assert counter.summary() == "4 after 4 steps at 0.0."


def test_nothing_runs_before_it_plays_or_after_it_is_paused(counter):
    page = Page(counter)
    assert page.frame()
    assert counter.data.steps == 0
    counter.play()
    assert page.frame()
    assert counter.data.steps == 1
    counter.pause()
    assert page.frame()
    assert counter.data.steps == 1
    counter.play()
    counter.step()
    assert not counter.playing


def test_what_plays_before_it_is_shown_plays_when_it_is(counter):
    counter.play()
    page = Page(counter)
    assert "Pause" in buttons(counter)
    page.frame()
    assert counter.data.steps == 1


def test_a_frame_takes_the_chosen_number_of_steps(counter):
    page = Page(counter)
    counter.steps_per_frame = 20
    counter.play()
    page.frame()
    assert counter.data.steps == 20


def test_a_finished_run_pauses_and_play_starts_it_again():
    counter = Counter(by=9).step(110)
    page = Page(counter)
    counter.play()
    for _ in range(5):
        page.frame()
    assert counter.data.steps == 112
    assert not counter.playing
    assert "1008 after 112 steps" in counter._sentence.value
    counter.play()
    page.frame()
    assert counter.data.steps == 1


def test_restart_keeps_the_settings_and_goes_on_playing(counter):
    page = Page(counter)
    counter.by = 5
    counter.play()
    page.frame()
    counter.restart()
    assert (counter.data.steps, counter.by, counter.playing) == (0, 5, True)


def test_reset_pauses_at_step_0_of_the_first_settings(counter):
    Page(counter)
    counter.update(by=5, place=0.5)
    counter.step(3)
    counter.play()
    counter.reset()
    assert (counter.data.steps, counter.playing) == (0, False)
    assert counter.values == Counter().values
    assert counter._controls["place"].value == 0


def test_buttons_play_pause_step_restart_reset(counter):
    page = Page(counter)
    play = buttons(counter)["Play"]
    play.click()
    assert counter.playing
    assert play.description == "Pause"
    page.frame()
    play.click()
    assert not counter.playing
    assert play.description == "Play"
    buttons(counter)["Step"].click()
    assert counter.data.steps == 2
    buttons(counter)["Restart"].click()
    assert counter.data.steps == 0


# Settings while it runs.


def test_a_live_setting_changes_the_run_under_way(counter):
    counter.step(10)
    counter.by = 5
    counter.step(2)
    assert counter.data.value == 20


def test_another_setting_starts_a_new_run_or_replays_it():
    assert Counter().step(10).data.steps == 10
    counter, replaying = Counter().step(10), Replaying().step(10)
    counter.place = replaying.place = 0.5
    assert (counter.data.steps, replaying.data.steps) == (0, 10)
    replaying.by = 3
    assert replaying.data.value == 30


def test_a_setting_may_change_while_it_plays(counter):
    page = Page(counter)
    counter.play()
    page.frame()
    seen = page.stage.frame
    counter._controls["by"].value = 3
    assert counter.playing
    assert page.frame(after=seen)  # asked before the change arrived: answered, not drawn
    assert counter.data.steps == 1
    page.frame()
    assert counter.data.value == 4


def test_repr_has_the_steps_while_they_all_had_these_settings(counter):
    assert ".step(" not in repr(counter)
    counter.step(3)
    assert repr(counter) == "Counter(by=1, place=0.0, steps_per_frame=1).step(3)"
    counter.by = 2
    assert repr(counter) == "Counter(by=2, place=0.0, steps_per_frame=1)"
    counter.restart()
    assert repr(counter.step()).endswith(".step(1)")


# The page's questions.


def test_every_question_is_answered_and_a_frame_is_drawn_once(counter):
    one, two = Page(counter, "one"), Page(counter, "two")
    counter.play()
    seen = one.stage.frame
    assert one.frame(after=seen)
    assert two.frame(after=seen)
    assert counter.data.steps == 1


def test_picture_and_answer_go_in_one_message_and_words_seldom(counter):
    page = Page(counter)
    counter.play()
    sent, said = [], []
    page.stage.send_state = lambda key=None: sent.append(set(key))
    counter._sentence.observe(said.append, names="value")
    for _ in range(2 * WORDS_EVERY):
        page.frame()
    assert sent == [{"value", "answer", "frame"}] * (2 * WORDS_EVERY)
    assert len(said) == 2
    assert counter._sentence.live == "off"
    counter.pause()
    assert counter._sentence.live == "polite"
    assert f"{2 * WORDS_EVERY} after" in counter._sentence.value


def test_a_frame_that_raises_stops_it_says_why_and_can_be_mended(counter):
    page = Page(counter)
    counter.play()
    counter.by = 7
    with pytest.raises(ValueError, match="unlucky"):
        counter._next_frame()
    assert not counter.playing
    assert not page.stage.playing
    assert counter._sentence.value == "Stopped by an error, ValueError: 7 is unlucky"
    assert counter._sentence.live == "assertive"
    counter.by = 1
    counter.play()
    assert page.frame()
    assert counter.data.steps == 1
    counter.pause()
    assert "1 after 1 steps" in counter._sentence.value


def test_a_question_that_raises_is_answered_too(counter):
    page = Page(counter)
    counter.play()
    counter.by = 7
    with pytest.raises(ValueError, match="unlucky"):
        page.stage._heard(None, {"kind": "frame", "after": page.stage.frame, "question": "q"}, [])
    assert page.stage.answer == "q"


# The hand.


def test_the_hand_is_told_where_it_is_on_the_axes(counter):
    page = Page(counter)
    assert page.stage.region == pytest.approx([0.25, 0.1, 0.75, 0.5])
    page.ask("hand", events=[["down", 0.5, 0.3], ["move", 0.625, 0.2]])
    assert counter.place == pytest.approx(0.5)
    assert counter.told == ("move", 0.75)  # from the top of the picture to up on the axes
    page.ask("hand", events=[["move", 5.0, -3.0], ["up", 5.0, -3.0]])
    assert counter.place == 1
    assert counter.told == ("up", 1)


# The settings that came with them.


def test_several_keeps_the_order_of_its_options_and_follows_both_sides():
    class Menu(Counter):
        chosen = Several(("a",), ("a", "b", "c"))

        @staticmethod
        def simulate(by, place, chosen):
            return Count(by, place)

    menu = Menu(chosen=["c", "a"])
    assert menu.chosen == ("a", "c")
    assert menu.widget
    control = menu._controls["chosen"]
    boxes = {box.description: box for box in control.children[1:]}
    assert {name: box.value for name, box in boxes.items()} == {"a": True, "b": False, "c": True}
    boxes["b"].value = True
    assert menu.chosen == ("a", "b", "c")
    menu.chosen = ("b",)
    assert [box.value for box in boxes.values()] == [False, True, False]
    with pytest.raises(ValueError, match="chosen = 'ab'; wanted any of 'a', 'b', 'c', as a tuple"):
        menu.chosen = "ab"
    with pytest.raises(ValueError, match="wanted any of"):
        menu.chosen = ("d",)


@pytest.mark.parametrize(
    "bad",
    [[(0, 0)], [(3, 0, 0)], [(0, float("nan"), 0)], [(0, 0, 2)], [(0, 0, 0.5)], 3, [(0, 0, 0)] * 4],
)
def test_points_refuse(bad):
    setting = Points(2.0, classes=2, most=3)
    setting.name = "points"
    with pytest.raises(ValueError, match="wanted at most 3 points"):
        setting.check(bad)


def test_points_are_rounded_to_what_their_repr_shows():
    setting = Points(2.0, classes=2, most=3)
    assert setting.check([[1 / 3, -2, 1]]) == ((0.333, -2.0, 1),)

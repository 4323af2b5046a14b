"""The queue of the studio: order, fairness, limits, and jobs that newer ones replace."""

import gc
import threading
import weakref

from latent_hands.studio.work import MOST_WAITING, Work


class Held:
    """A queue whose thread waits in a first job until the test lets it go."""

    def __enter__(self):
        self.work, self.go, self.done = Work(), threading.Event(), []
        started = threading.Event()
        self.work.submit("holder", "hold", lambda: (started.set(), self.go.wait(60)))
        assert started.wait(60)
        return self

    def __exit__(self, *_):
        self.go.set()
        self.work.close()

    def submit(self, client, key, value):
        return self.work.submit(client, key, lambda: self.done.append(value))

    def results(self):
        self.go.set()
        assert self.work.wait(60.0)
        return self.done


def test_jobs_of_a_client_run_in_order():
    with Held() as held:
        for i in range(5):
            held.submit("a", i, i)
        assert held.results() == [0, 1, 2, 3, 4]


def test_only_the_latest_of_equal_jobs_runs():
    with Held() as held:
        for i in range(100):
            held.submit("a", "drag", i)
        assert held.results() == [99]


def test_a_job_does_not_overtake_the_job_between():
    with Held() as held:
        for key, value in (("drag", 0), ("undo", 1), ("drag", 2)):
            held.submit("a", key, value)
        assert held.results() == [0, 1, 2]


def test_clients_take_turns():
    with Held() as held:
        for i in range(3):
            held.submit("busy", i, f"busy {i}")
        held.submit("calm", 0, "calm")
        assert held.results() == ["busy 0", "calm", "busy 1", "busy 2"]


def test_a_hundred_clients_are_all_served_and_each_is_bounded():
    with Held() as held:
        accepted = [held.submit(client, i, client) for client in range(100) for i in range(MOST_WAITING + 5)]
        assert sum(accepted) == 100 * MOST_WAITING
        results = held.results()
        assert sorted(results[:100]) == list(range(100))
        assert len(results) == sum(accepted)


def test_idle_jobs_run_last_once_a_client_and_not_for_clients_that_left():
    with Held() as held:
        for client in ("a", "b", "left"):
            for i in range(2):
                held.work.submit_idle(client, lambda value=f"idle {client} {i}": held.done.append(value))
        held.submit("b", 0, "b")
        held.submit("a", 0, "a")
        held.work.forget("left")
        assert held.results() == ["b", "a", "idle a 1", "idle b 1"]


def test_a_failed_job_does_not_stop_the_queue(caplog):
    with Held() as held:
        held.work.submit("a", 0, lambda: 1 / 0)
        held.submit("a", 1, "next")
        assert held.results() == ["next"]
    assert "ZeroDivisionError" in caplog.text


def test_jobs_of_a_client_that_left_are_dropped_and_a_closed_queue_takes_none():
    with Held() as held:
        held.submit("left", 0, "left")
        held.submit("stays", 0, "stays")
        held.work.forget("left")
        assert held.results() == ["stays"]
    assert not held.submit("stays", 1, "late")


def test_a_job_is_freed_when_it_has_run():
    class Page:
        pass

    with Held() as held:
        page = Page()
        left = weakref.ref(page)
        held.work.submit("a", "show", lambda page=page: held.done.append(id(page)))
        del page
        assert len(held.results()) == 1
        gc.collect()
        assert left() is None


def test_a_job_waits_until_it_runs():
    with Held() as held:
        held.submit("a", "slide", 0)
        assert held.work.waits("a", "slide")
        assert not held.work.waits("a", "drag")
        assert not held.work.waits("b", "slide")
        assert held.results() == [0]
        assert not held.work.waits("a", "slide")

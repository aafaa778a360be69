"""Progress reaches whoever asked, stopping works at every step, and outside a job nothing happens."""

from __future__ import annotations

import pytest

from neuronscope import jobs


class Recorder:
    """Keeps what it is told, and cancels when told to."""

    def __init__(self, cancel_at: int | None = None) -> None:
        self.seen: list[jobs.Progress] = []
        self.checks = 0
        self.cancel_at = cancel_at

    def check(self) -> None:
        self.checks += 1
        if self.cancel_at is not None and self.checks > self.cancel_at:
            raise jobs.Cancelled

    def report(self, progress: jobs.Progress) -> None:
        self.seen.append(progress)


def test_tracking_outside_a_job_only_iterates() -> None:
    assert list(jobs.track([1, 2, 3], label="x")) == [1, 2, 3]
    jobs.checkpoint()


def test_every_step_is_reported_and_the_end_too() -> None:
    job = Recorder()
    with jobs.running(job):
        list(jobs.track("abc", label="Reading"))
    assert [(p.done, p.total, p.label) for p in job.seen] == [(n, 3, "Reading") for n in range(4)]


def test_a_cancelled_job_stops_before_the_next_step() -> None:
    job, done = Recorder(cancel_at=2), []
    with jobs.running(job), pytest.raises(jobs.Cancelled):
        done.extend(jobs.track(range(10), label="x"))
    assert job.checks == 3


def test_a_job_ends_with_its_context() -> None:
    job = Recorder()
    with jobs.running(job):
        jobs.checkpoint()
    jobs.checkpoint()
    assert job.checks == 1


def test_rate_and_remaining_time_are_told_only_when_they_can_be() -> None:
    assert jobs.Progress(0, 10, "x", 5).rate is None
    assert jobs.Progress(5, 10, "x", 2).rate == 2.5
    assert jobs.Progress(5, 10, "x", 2).remaining == 2
    assert jobs.Progress(5, None, "x", 2).remaining is None


def test_no_work_is_no_progress() -> None:
    job = Recorder()
    with jobs.running(job):
        assert list(jobs.track([], label="x")) == []
    assert not job.seen

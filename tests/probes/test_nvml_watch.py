from random import Random

from probes.nvml_sample import READINGS, Gap, GpuSample, Identity, Place, Readings
from probes.nvml_watch import REST_FIRST_S, REST_S_MAX, START_FIRST_S, START_S_MAX, SamplerConfig, Watch, identity_of

PLACE = Place(node="n1")


def sample(index: int, slice_uuid: str = "") -> GpuSample:
    return Readings().sample(Identity(gpu_index=index, gpu_uuid=f"GPU-{index}", mig_uuid=slice_uuid), PLACE, 0)


def watch() -> Watch:
    return Watch(PLACE, 1.0, Random(1))  # noqa: S311 -- jitter, reproducible


def owing(watch: Watch, now_s: float) -> list[tuple[int, str]]:
    return [(one.gpu_index, one.mig_uuid) for one in watch.gaps(now_s, 0)]


def test_a_gpu_that_is_late_owes_one_sample_an_interval() -> None:
    watching = watch()
    watching.sampled(sample(0), 10.0)

    owed = [len(watching.gaps(at_s / 4, 0)) for at_s in range(40, 60)]

    assert sum(owed) == 4  # owed at 11.5, 12.5, 13.5 and 14.5
    assert owed[:7] == [0, 0, 0, 0, 0, 0, 1]


def test_after_a_long_pause_of_ours_only_the_last_interval_is_owed() -> None:
    watching = watch()
    watching.sampled(sample(0), 10.0)

    assert len(watching.gaps(100.0, 0)) == 1
    assert len(watching.gaps(100.1, 0)) <= 1


def test_only_the_late_ones_owe_and_the_reason_is_that_of_their_failure() -> None:
    watching = watch()
    for index in (0, 1):
        watching.sampled(sample(index), 10.0)
    watching.gpu_failed(1, Gap.HUNG, 10.5)
    watching.sampled(sample(0), 11.0)

    (owed,) = watching.gaps(11.6, 77)

    assert (owed.gpu_index, owed.ts) == (1, 77)
    assert owed.missing == tuple(f"{name}: hung" for name in READINGS)


def test_a_failed_sampler_is_the_reason_of_all() -> None:
    watching = watch()
    watching.sampled(sample(0), 10.0)
    watching.sampler_failed(Gap.DRIVER_NOT_LOADED, 10.5)

    (owed,) = watching.gaps(11.6, 0)

    assert "power_w: driver_not_loaded" in owed.missing


def test_the_rest_of_a_gpu_that_fails_again_grows_to_its_bound_and_ends_with_a_sample() -> None:
    watching, now_s, rests = watch(), 0.0, list[float]()
    for _ in range(12):
        watching.gpu_failed(2, Gap.GPU_LOST, now_s)
        rests.append(watching.resting_s(now_s)[2])
        now_s += rests[-1]

    assert all(REST_FIRST_S <= rest_s <= REST_S_MAX for rest_s in rests)
    assert max(rests) > 20 * REST_FIRST_S
    assert watching.resting_s(now_s) == {}

    watching.sampled(sample(2), now_s)
    watching.gpu_failed(2, Gap.GPU_LOST, now_s)

    assert watching.resting_s(now_s)[2] == REST_FIRST_S


def test_a_sampler_that_fails_again_waits_longer_up_to_the_bound() -> None:
    watching = watch()
    waits = [watching.sampler_failed(Gap.UNINITIALIZED, 100.0) for _ in range(12)]

    assert all(START_FIRST_S <= wait_s <= START_S_MAX for wait_s in waits)
    assert waits[0] == START_FIRST_S
    assert watching.start_at_s == 100.0 + waits[-1]

    watching.sampled(sample(0), 200.0)

    assert watching.sampler_failed(Gap.UNINITIALIZED, 200.0) == START_FIRST_S


def test_a_slice_that_its_gpu_no_longer_has_owes_nothing() -> None:
    watching = watch()
    for one in (sample(0), sample(0, "MIG-a"), sample(0, "MIG-b"), sample(1, "MIG-c")):
        watching.sampled(one, 10.0)
    for at_s in (11.0, 12.0):
        watching.sampled(sample(0), at_s)
        watching.sampled(sample(0, "MIG-a"), at_s + 0.01)

    assert owing(watching, 12.1) == [(1, "MIG-c")]


def test_a_slice_whose_gpu_is_silent_owes_too() -> None:
    watching = watch()
    watching.sampled(sample(0), 10.0)
    watching.sampled(sample(0, "MIG-a"), 10.0)

    assert owing(watching, 12.0) == [(0, ""), (0, "MIG-a")]


def test_what_a_sampler_is_told_survives_the_command_line() -> None:
    config = SamplerConfig(place=Place(node="n", endpoint="e"), interval_s=0.5, board_fd=7, resting_s={3: 1.5})

    assert SamplerConfig.of_text(config.text()) == config


def test_an_identity_is_that_of_its_sample() -> None:
    assert identity_of(sample(4, "MIG-x")) == Identity(gpu_index=4, gpu_uuid="GPU-4", mig_uuid="MIG-x")

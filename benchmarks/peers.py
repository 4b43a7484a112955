"""Beside every peer, one process each: cold, warm, CPU, memory; the same photos and weights, over HTTP.

A warm request downloads, decodes and predicts. This project is asked as it comes, averaging the pixels, with every
core in an invoke; that must be ahead on the clock. A second thread saves time and costs CPU, and most peers have
one; some take the nearest pixels, which spares the averaging and forbids to decode at a fraction. So CPU is told
twice: as it comes, and at the peer's work (one thread and, for those, the nearest pixels). One must be ahead.
"""

import shutil
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image

from benchmarks import contenders, origins, photos, venvs
from benchmarks.children import (
    PHOTOS,
    ROOT,
    Command,
    Failed,
    Ratio,
    Run,
    interleave,
    launcher,
    ratio,
    ratio_of,
    summary,
)
from benchmarks.contenders import FLOOR, NEAREST, ONE_THREAD, OURS, PEERS, Peer
from benchmarks.kept import AT_A_TIME, Spent, in_turn
from helpers.figures import Figure, Scale, skip

COFFEE, SMALL = "coffee.png", "0.2 MP JPEG"  # 600 × 400; of the bundled photos the one that all call what it is
AHEAD = "< 1.00 ×"
# What a photo is called -> turns of each, and the same in the shortened form.
WARM = {SMALL: (60, 4), "0.2 MP PNG": (60, 4), "2 MP JPEG": (40, 3), "12 MP JPEG": (20, 2)}


def measure(scale: Scale) -> list[Figure]:
    """Return a row for each peer and each thing that is measured; a peer that cannot run says why."""
    with TemporaryDirectory() as folder:
        paths = [_coffee(Path(folder)), PHOTOS / COFFEE, photos.photo(2), photos.photo(12)]
        for path in paths[1:]:
            shutil.copy(path, folder)
        with origins.served(Path(folder)) as origin:
            urls = {size: f"{origin}/{path.name}" for size, path in zip(WARM, paths, strict=True)}
            ours = contenders.ours()
            peers, missing, failed = _able(ours[OURS], list(urls.values()))
            cold = interleave(
                {name: _asked(command, urls[SMALL]) for name, command in {OURS: ours[OURS], **peers}.items()},
                scale.of(15, 2),
            )
            everyone = {**ours, FLOOR: contenders.floor(), **peers}
            warm = {
                size: in_turn(
                    {name: _asked(command, urls[size], "again") for name, command in everyone.items()},
                    scale.of(whole, short),
                )
                for size, (whole, short) in WARM.items()
            }
    details = _details(cold, warm)
    found = [_same(cold, warm, details)]
    for peer in PEERS:
        if peer.name in missing:
            found.append(skip(f"{peer.name}: cold, warm, CPU", AHEAD, missing[peer.name]))
        elif peer.name in failed:
            found.append(Figure(f"{peer.name}: cold, warm, CPU", AHEAD, failed[peer.name]))
        else:
            found.append(_cold(peer, cold, details))
            found += [_against(peer, size, warm[size]) for size in WARM]
    return found


def _coffee(folder: Path) -> Path:
    # As a JPEG, which photos are.
    path = folder / "coffee.jpg"
    with Image.open(PHOTOS / COFFEE) as image:
        image.convert("RGB").save(path, quality=photos.QUALITY)
    return path


def _able(ours: Command, urls: Sequence[str]) -> tuple[dict[str, Command], dict[str, str], dict[str, str]]:
    # The peers that give our answer to each photo; why others cannot be had; what is wrong with those that can.
    able, missing, failed = {}, {}, {}
    with launcher() as started:
        answers = [started.run(_asked(ours, url)).said for url in urls]
        for peer in PEERS:
            try:
                command = contenders.command(peer)
                said = [started.run(_asked(command, url)).said for url in urls]
            except venvs.Unavailable as error:
                missing[peer.name] = str(error)
                continue
            except Failed as error:
                failed[peer.name] = str(error).splitlines()[-1].replace(f"{ROOT}/", "")
                continue
            if said == answers:
                able[peer.name] = command
            else:
                failed[peer.name] = f"it says classes {', '.join(said)} where ours are {', '.join(answers)}"
    return able, missing, failed


def _asked(command: Command, url: str, *more: str) -> Command:
    return Command((*command.argv, url, *more), command.env)


def _same(cold: Mapping[str, Sequence[Run]], warm: Mapping[str, Any], details: dict[str, Any]) -> Figure:
    answers = {run.said for runs in cold.values() for run in runs}
    count = sum(map(len, cold.values()))
    count += AT_A_TIME * sum(len(turns) for each in warm.values() for turns in each.values())
    names = f"{len(cold) - 1} of {len(PEERS)} peers"
    return Figure(
        "peers: every answer is ours",
        "all",
        f"all of {count:,}, {names}",
        len(answers) == 1 and len(cold) > 1,
        details,
    )


def _cold(peer: Peer, runs: Mapping[str, Sequence[Run]], details: Mapping[str, Any]) -> Figure:
    against = ratio_of(runs, OURS, peer.name)
    mine, theirs = ({what: details[what][name] for what in details} for name in (OURS, peer.name))
    return Figure(
        f"cold, process start to first answer, against {peer.name}",
        AHEAD,
        f"{against}, medians {mine['cold']['median']:.0f} against {theirs['cold']['median']:.0f} ms of "
        f"{len(runs[OURS])} runs; peak memory {mine['peak_mb']['median']:.0f} against "
        f"{theirs['peak_mb']['median']:.0f} MiB, installed {mine['package_mb']:.0f} against "
        f"{theirs['package_mb']:.0f} MB",
        against.median < 1,
    )


def _against(peer: Peer, size: str, spent: Mapping[str, Sequence[Spent]]) -> Figure:
    alike = NEAREST if peer.nearest else ONE_THREAD
    wall, fair_wall = (_beside(spent, name, peer.name, "wall") for name in (OURS, alike))
    cpu, fair_cpu = (_beside(spent, name, peer.name, "cpu") for name in (OURS, alike))
    mine, theirs, floor = (_median(spent, name, "wall") for name in (OURS, peer.name, FLOOR))
    return Figure(
        f"warm, {size}, against {peer.name} ({peer.does})",
        f"{AHEAD}, CPU too, as it comes or told to do the same work",
        f"{wall}, {mine:.1f} against {theirs:.1f} ms, which is {theirs / floor:.1f} × a {FLOOR}; CPU {cpu}; "
        f"at the same work {fair_wall.median:.2f} × and CPU {fair_cpu}, "
        f"{_median(spent, alike, 'cpu'):.1f} against {_median(spent, peer.name, 'cpu'):.1f} ms",
        (wall.median < 1 and cpu.median < 1) or (fair_wall.median < 1 and fair_cpu.median < 1),
    )


def _beside(spent: Mapping[str, Sequence[Spent]], ours: str, theirs: str, what: str) -> Ratio:
    return ratio(*([getattr(one, what) for one in spent[name]] for name in (ours, theirs)))


def _median(spent: Mapping[str, Sequence[Spent]], name: str, what: str) -> float:
    values: list[float] = [getattr(one, what) for one in spent[name]]
    return statistics.median(values)


def _details(
    cold: Mapping[str, Sequence[Run]], warm: Mapping[str, Mapping[str, Sequence[Spent]]]
) -> dict[str, dict[str, Any]]:
    # Milliseconds, MiB, 10⁶ bytes; "warm" and "cpu" alone are those of the smallest JPEG.
    venvs_of = {peer.name: peer.venv for peer in PEERS}
    found: dict[str, dict[str, Any]] = {
        "cold": {name: summary([1000 * run.wall for run in runs]) for name, runs in cold.items()},
        "peak_mb": {name: summary([run.peak_mb for run in runs]) for name, runs in cold.items()},
        "package_mb": {
            name: contenders.our_package_mb() if name == OURS else contenders.package_mb(venvs_of[name])
            for name in cold
        },
    }
    return found | {
        what if size == SMALL else f"{what}, {size}": {
            name: summary([getattr(one, field) for one in runs]) for name, runs in each.items()
        }
        for size, each in warm.items()
        for what, field in (("warm", "wall"), ("cpu", "cpu"))
    }

"""TransNet V2: a network that finds cuts and gradual transitions, fed while a video is decoded.

The network is that of Souček and Lokoč, "TransNet V2: An effective deep network architecture for
fast shot transition detection" (2020). PySceneDetect has a detector for it, but reads an ONNX file
that no package has, looks at blue for red, and ends a video in black, which it may take for a cut.
Knows nothing of scenes.
"""

from __future__ import annotations

import pickle
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np

from kairos_lib.errors import KairosError

WIDTH_PX, HEIGHT_PX = 48, 27
WINDOW = 100
"""Frames that the network gets at once;"""
MARGIN = 25
"""of the first and the last so many, it knows too little of what is around them."""
STEP = WINDOW - 2 * MARGIN
LONGEST_RUN = 25
"""Frames of a transition that are waited for."""
LATE_FRAMES = WINDOW - MARGIN + LONGEST_RUN
"""A transition is reported at most so many frames after it."""
FILTERS, STAGES, DILATIONS = 16, 3, (1, 2, 4, 8)
COMPARED = 101
"""Frames around each that it is compared with."""
SIMILAR, HIDDEN = 128, 1024
BINS_BITS = 3
"""Of each of red, green and blue: 512 kinds of colour."""


class TransitionDetector:
    """Takes frame after frame, and reports where the next shot begins; memory does not grow.

    Args:
        net: From `load`.
        threshold: Score from 0 to 1 above which a frame is part of a transition.
        min_scene_s: A transition sooner than this after another is not reported.
    """

    def __init__(self, net: Any, threshold: float, min_scene_s: float) -> None:
        self._net = net
        self._threshold = threshold
        self._min_scene_s = min_scene_s
        self._frames: list[np.ndarray] = []
        self._codes: deque[Any] = deque()
        """Of the frames that have no score yet."""
        self._run: list[Any] = []
        """The frames of the present transition."""
        self._told = False
        """Whether it has been reported already."""
        self._last_cut_s = 0.0

    def process_frame(self, code: Any, image: np.ndarray) -> list[Any]:
        """Take a frame.

        Args:
            code: PySceneDetect's time code of it.
            image: BGR, shape (height, width, 3), uint8.

        Returns:
            Time codes of the frames with which shots begin, as far as they are known now.
        """
        import cv2

        small = cv2.resize(image, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_AREA)[..., ::-1]
        if not self._frames:
            # The first and the last frame stand for what would be before and after.
            self._frames = [small] * MARGIN
        self._frames.append(small)
        self._codes.append(code)
        return self._scored() if len(self._frames) == WINDOW else []

    def post_process(self, _code: Any) -> list[Any]:
        """Score what is left, at the end of the video."""
        found: list[Any] = []
        while self._codes:
            self._frames += [self._frames[-1]] * (WINDOW - len(self._frames))
            found += self._scored()
        return [*found, *self._closed()]

    def _scored(self) -> list[Any]:
        """Score the middle of a full window, and go on by as much."""
        scores = self._net.scores(np.stack(self._frames))[MARGIN : MARGIN + STEP]
        self._frames = self._frames[STEP:]
        found: list[Any] = []
        for score in scores[: len(self._codes)]:
            code = self._codes.popleft()
            if score <= self._threshold:
                found += self._closed(code)
                self._told = False
            elif not self._told:
                self._run.append(code)
                if len(self._run) == LONGEST_RUN:
                    # What is longer is not waited for, and told once.
                    found += self._closed(code)
                    self._told = True
        return found

    def _closed(self, following: Any = None) -> list[Any]:
        """End a transition: in its middle, as a cut marks the last frame before it."""
        run, self._run = self._run, []
        behind = run[1:] if following is None else [*run[1:], following]
        if not run or not behind:
            return []  # The video's last frame is before nothing.
        code = behind[(len(run) - 1) // 2]
        if code.seconds - self._last_cut_s < self._min_scene_s:
            return []
        self._last_cut_s = code.seconds
        return [code]


class Net:
    """The network with its weights.

    Args:
        model: From `network`.
        device: Where it is.
    """

    def __init__(self, model: Any, device: str) -> None:
        self._model = model
        self._device = device

    def scores(self, frames: np.ndarray) -> np.ndarray:
        """How likely each frame is part of a transition.

        Args:
            frames: RGB, shape (frames, 27, 48, 3), uint8.

        Returns:
            From 0 to 1, shape (frames,).
        """
        import torch

        with torch.inference_mode():
            given = torch.from_numpy(frames[None]).to(self._device)
            scores: np.ndarray = torch.sigmoid(self._model(given))[0].float().cpu().numpy()
        if not np.isfinite(scores).all():
            raise KairosError("the scores of scenes are NaN or infinite: the weights are damaged")
        return scores


def load(path: Path, device: str) -> Net:
    """Load the weights: a state dict, without running code in it.

    Raises:
        KairosError: They are not TransNet V2's.
    """
    import torch

    try:
        # Tensors alone: anything else that a pickle can hold is refused.
        state = torch.load(path, map_location="cpu", weights_only=True)
        model = network()
        model.load_state_dict(state)
    except (OSError, RuntimeError, ValueError, TypeError, AttributeError, EOFError,
            pickle.UnpicklingError) as error:  # fmt: skip
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise KairosError(f"cannot load the weights of scenes from {path}: {reason}") from error
    return Net(model.to(device).eval(), device)


def network() -> Any:
    """The network without weights; its parts are named as in the published state dicts."""
    import torch
    from torch import nn
    from torch.nn import functional

    def dilated(inputs: int, filters: int, dilation: int) -> nn.Module:
        """A convolution over space, then one over time."""
        across = nn.Conv3d(inputs, 2 * filters, (1, 3, 3), padding=(0, 1, 1), bias=False)
        along = nn.Conv3d(
            2 * filters, filters, (3, 1, 1), dilation=(dilation, 1, 1),
            padding=(dilation, 0, 0), bias=False,
        )  # fmt: skip
        return nn.ModuleDict({"layers": nn.Sequential(across, along)})

    class Cell(nn.Module):
        """Four convolutions that look differently far in time."""

        def __init__(self, inputs: int, filters: int) -> None:
            super().__init__()
            for dilation in DILATIONS:
                self.add_module(f"Conv3D_{dilation}", dilated(inputs, filters, dilation))
            self.bn = nn.BatchNorm3d(len(DILATIONS) * filters, eps=1e-3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            cells = [self.get_submodule(f"Conv3D_{one}.layers")(x) for one in DILATIONS]
            normal: torch.Tensor = self.bn(torch.cat(cells, 1))
            return normal

    class Stage(nn.Module):
        """Two cells, the first also around the second; then half the size."""

        def __init__(self, inputs: int, filters: int) -> None:
            super().__init__()
            self.DDCNN = nn.ModuleList([Cell(inputs, filters), Cell(4 * filters, filters)])

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            around = functional.relu(self.DDCNN[0](x))
            x = around + functional.relu(self.DDCNN[1](around))
            return functional.avg_pool3d(x, (1, 2, 2))

    def near(features: torch.Tensor) -> torch.Tensor:
        """Similarity of each frame with those around it, shape (batch, frames, COMPARED)."""
        unit = functional.normalize(features, p=2, dim=2)
        half = (COMPARED - 1) // 2
        alike = functional.pad(unit @ unit.transpose(1, 2), (half, half))
        frames = torch.arange(unit.shape[1], device=unit.device)
        around = frames[:, None] + torch.arange(COMPARED, device=unit.device)
        return alike[:, frames[:, None], around]

    class FrameSimilarity(nn.Module):
        """By what the stages see, averaged over the picture."""

        def __init__(self) -> None:
            super().__init__()
            inputs = sum(4 * FILTERS * 2**stage for stage in range(STAGES))
            self.projection = nn.Linear(inputs, SIMILAR)
            self.fc = nn.Linear(COMPARED, SIMILAR)

        def forward(self, seen: list[torch.Tensor]) -> torch.Tensor:
            means = torch.cat([one.mean((3, 4)) for one in seen], 1).transpose(1, 2)
            return functional.relu(self.fc(near(self.projection(means))))

    class ColourHistograms(nn.Module):
        """By how often each kind of colour occurs."""

        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(COMPARED, SIMILAR)

        def forward(self, frames: torch.Tensor) -> torch.Tensor:
            coarse = frames.long() >> (8 - BINS_BITS)
            kinds = (
                (coarse[..., 0] << 2 * BINS_BITS) + (coarse[..., 1] << BINS_BITS) + coarse[..., 2]
            )
            kinds = kinds.flatten(2)
            counts = torch.zeros(*kinds.shape[:2], 1 << 3 * BINS_BITS, device=frames.device)
            counts.scatter_add_(2, kinds, torch.ones_like(kinds, dtype=counts.dtype))
            return functional.relu(self.fc(near(counts)))

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            inputs = [3, *(4 * FILTERS * 2**stage for stage in range(STAGES - 1))]
            self.SDDCNN = nn.ModuleList(
                [Stage(count, FILTERS * 2**stage) for stage, count in enumerate(inputs)]
            )
            self.frame_sim_layer = FrameSimilarity()
            self.color_hist_layer = ColourHistograms()
            places = (HEIGHT_PX >> STAGES) * (WIDTH_PX >> STAGES)
            self.fc1 = nn.Linear(4 * FILTERS * 2 ** (STAGES - 1) * places + 2 * SIMILAR, HIDDEN)
            self.cls_layer1 = nn.Linear(HIDDEN, 1)
            self.cls_layer2 = nn.Linear(HIDDEN, 1)
            """Marks all frames of a transition: used for training alone."""

        def forward(self, frames: torch.Tensor) -> torch.Tensor:
            x = frames.permute(0, 4, 1, 2, 3).float() / 255
            seen = []
            for stage in self.SDDCNN:
                x = stage(x)
                seen.append(x)
            flat = x.permute(0, 2, 3, 4, 1).flatten(2)
            flat = torch.cat([self.color_hist_layer(frames), self.frame_sim_layer(seen), flat], 2)
            middle: torch.Tensor = self.cls_layer1(functional.relu(self.fc1(flat)))
            return middle[..., 0]

    return Network()

"""Shared code of all transformers families: loading, generating, counting tokens.

A family adds its classes and how it formats a request. Uses only what several major versions of
transformers have in common, since a model may run in an environment of its own.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import psutil

from kairos_lib.errors import KairosError, closest
from kairos_lib.measure.memory import is_out_of_memory
from kairos_lib.parameters.model import Model
from kairos_lib.vlm import chat_template, dummy, ends, fitting, generation, gpu_memory
from kairos_lib.vlm.adapter import (
    LARGEST_BATCH,
    Adapter,
    Generated,
    Prepared,
    Request,
    SceneError,
)
from kairos_lib.vlm.architecture import describe
from kairos_lib.vlm.controls import Controls
from kairos_lib.vlm.loading import (
    COMPUTING,
    SHARE,
    cached_values,
    check_loaded,
    check_precision,
    device_map,
    network_class,
    quantisation_config,
    read_config,
    reason_of,
    settle,
    spare_unpackable,
    take_quantised,
    takes_gpu,
)
from kairos_lib.vlm.records import Architecture
from kairos_lib.vlm.refusals import REFUSALS, translating
from kairos_lib.weights.checkpoint_files import check_files, own_quantisation
from kairos_lib.weights.checkpoints import check_whole


class TransformersAdapter(Adapter):
    """A model with a processor and `generate`."""

    # Required of a family

    model_class: ClassVar[str]
    """Name in the `transformers` package."""

    # Optional

    processor_class: ClassVar[str] = "AutoProcessor"
    processor_settings: ClassVar[frozenset[str]] = frozenset()
    """Allowed `processor` settings in a model's parameters; passed to the processor by name."""
    connectors: ClassVar[frozenset[str]] = frozenset(
        {"multi_modal_projector", "connector", "merger"}
    )
    """Names of the modules or parameters that turn pictures' features into tokens."""

    def load_processor(self, path: str) -> Any:
        """The processor for frames and text; has a `tokenizer`."""
        import transformers

        processor = getattr(transformers, self.processor_class)
        return processor.from_pretrained(path, trust_remote_code=False, **self.settings.processor)

    def load_model(self, path: str, **options: Any) -> Any:
        """The network, with the options of `from_pretrained`."""
        import transformers

        return self.with_weights(getattr(transformers, self.model_class), path, **options)

    def conversation(self, request: Request) -> list[dict[str, Any]]:
        """One user turn: the images, then the text."""
        images = [{"type": "image"} for _ in request.images]
        return [{"role": "user", "content": [*images, {"type": "text", "text": request.prompt}]}]

    def tensors(self, requests: list[Request]) -> Any:
        """A batch as input of the model's `generate`, padded on the left."""
        from PIL import Image

        # One list per request: not all processors accept a single list for all requests.
        return self.processed(
            requests, images=[[Image.fromarray(i) for i in r.images] for r in requests]
        )

    def visual_token_ids(self) -> list[int]:
        """Placeholder ids for a picture's features in a prompt."""
        # Named by the configuration, under names that changed over time, or by the processor.
        named = ((self.model.config, "image_token_id"), (self.model.config, "image_token_index"))
        for one, name in (*named, (self.processor, "image_token_id")):
            if isinstance(number := getattr(one, name, None), int):
                return [number]
        raise KairosError(f"{self.settings.name} does not say which token stands for a picture")

    def ends(self) -> tuple[int, ...]:
        """Tokens that end a caption in addition to those that the checkpoint names."""
        return ()

    # Provided for families

    def processed(self, requests: list[Request], **pictures: Any) -> Any:
        """A batch formatted with the chat template, and its pictures for the processor."""
        texts = self.worded(requests)
        if chat_template.begun(self.processor.tokenizer, texts):
            # Processors of older versions may not know this argument.
            pictures["add_special_tokens"] = False
        return self.processor(text=texts, padding=True, return_tensors="pt", **pictures)

    def with_weights(self, model_class: Any, path: str, config: Any = None, **options: Any) -> Any:
        """A network with its weights; with random ones if they are dummies.

        Args:
            model_class: A class of transformers, or one of its `Auto` ones.
            path: A checkpoint's folder.
            config: Needed if the class does not find its own in that folder.
            options: Of `from_pretrained`.
        """
        import torch
        import transformers

        config = config or read_config(model_class, path)
        if self._empty:
            settle(config, attention=None)
            with torch.device("meta"):
                return network_class(model_class, config)(config)
        settle(config, options["attn_implementation"])
        take_quantised(config, options["dtype"], options["device_map"])
        if self.dummy:
            model_class = network_class(model_class, config)
            state = dummy.random_weights(model_class, config, options["dtype"])
            return model_class.from_pretrained(
                None, config=config, state_dict=state, trust_remote_code=False, **options
            )
        model, found = model_class.from_pretrained(
            path,
            config=config,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
            # Kairos reports this itself in one line, so the long report is silenced.
            ignore_mismatched_sizes=True,
            # Replaces the checkpoint's own, of which little is needed and none is trusted.
            generation_config=transformers.GenerationConfig(),
            **options,
        )
        check_whole(found)
        return model

    def __init__(self, settings: Model, weights: Path) -> None:
        super().__init__(settings, weights)
        self.dummy = settings.weights.source == "dummy"
        self._empty = False
        self._left_out: tuple[str, ...] = ()
        self.context_tokens: int | None = None
        """Maximum tokens that the model reads and writes for one request; None if unknown."""
        self.model: Any = None
        self.processor: Any = None
        unknown = sorted(set(settings.processor) - self.processor_settings)
        if unknown:
            known = sorted(self.processor_settings)
            raise KairosError(
                f"{settings.name}: unknown key 'processor.{unknown[0]}' of the family "
                f"{settings.family}: {closest(unknown[0], known, list_known=True)}"
            )

    def load_empty(self) -> None:
        """Build the network without memory for its weights: it can prepare, not generate."""
        self._empty = True
        self.load()

    def load(self) -> None:
        """Load processor and weights, quantising them on the way if asked."""
        import torch

        self._gpu = not self._empty and takes_gpu(self.settings.device)
        self._dtype = getattr(torch, self.settings.dtype)
        whole = dummy.checkpoint(self.weights) if self.dummy else nullcontext(self.weights)
        with whole as folder:
            self._load(folder)

    def _load(self, folder: Path) -> None:
        from safetensors import SafetensorError

        path = str(folder)
        try:
            check_files(folder)
            own = own_quantisation(folder)
            precision = check_precision(self.settings.quantisation, own)
            making = precision if own == "none" else "none"
            self.processor = self.load_processor(path)
            chat_template.fill_in(self.settings.name, self.processor)
            chat_template.check(self.settings.name, self.worded)
            self._controls = Controls(self.processor)
            model = self.load_model(
                path,
                dtype=self._dtype,
                attn_implementation=self.settings.attention,
                quantization_config=quantisation_config(making, self._dtype),
                device_map=device_map(self.settings.device if self._gpu else "cpu"),
            )
            if not self._empty:
                check_loaded(precision, model.config)
            self._end(model, folder)
            tokenizer = self.processor.tokenizer
            self.context_tokens = fitting.context_tokens(model.config, tokenizer)
        except (OSError, ValueError, ImportError, RuntimeError, SafetensorError) as error:
            if is_out_of_memory(error):
                raise
            raise KairosError(
                f"cannot load {self.settings.name} from {path}: {reason_of(error)}"
            ) from error
        if precision in ("nf4", "fp4") and not (self._gpu or self._empty):
            spare_unpackable(model)
        self.model = model.eval()
        self._gpus = [one for one in self.placement() if one.startswith("cuda")]

    def _end(self, model: Any, folder: Path) -> None:
        """Set where generation ends from the checkpoint; none of its other settings are used."""
        end = self.processor.tokenizer.eos_token_id
        settings, self._left_out = ends.settled(folder, model.config, end, self.ends())
        for part in model.modules():
            # An inner language model may do the generating.
            if getattr(part, "generation_config", None) is not None:
                part.generation_config = settings

    def worded(self, requests: list[Request]) -> list[str]:
        """Each request formatted with the model's chat template."""
        return [
            self.processor.apply_chat_template(
                self.conversation(request), add_generation_prompt=True
            )
            for request in requests
        ]

    def prepare(self, requests: list[Request]) -> Prepared:
        """Turn frames and text into tensors on the device, with as much context as fits."""
        fitted = list(requests)
        prepared = self.counted(fitted)
        while any(over := [self._over(tokens) for tokens in prepared.prompt_tokens]):
            fitted = [
                self._shortened(one, tokens, more) if more else one
                for one, tokens, more in zip(fitted, prepared.prompt_tokens, over, strict=True)
            ]
            prepared = self.counted(fitted)
        left_out = (len(a.prompt) - len(b.prompt) for a, b in zip(requests, fitted, strict=True))
        with translating():
            inputs = prepared.inputs.to(device=self.model.device, dtype=self._dtype)
        return replace(prepared, inputs=inputs, left_out_chars=tuple(left_out))

    def counted(self, requests: list[Request]) -> Prepared:
        """Tensors that are not on the device yet, whether or not they fit into the context."""
        import torch

        harmless = [self._harmless(one) for one in requests]
        with translating(*REFUSALS):
            inputs = self.tensors(harmless)
        visual = torch.isin(inputs["input_ids"], torch.tensor(self.visual_token_ids()))
        # Counted before moving: `to` works in place, and counting would then wait for the device.
        prompt_tokens = inputs["attention_mask"].sum(dim=1).tolist()
        return Prepared(
            inputs,
            tuple(prompt_tokens),
            tuple(visual.sum(dim=1).tolist()),
            numbers=tuple(request.number for request in requests),
        )

    def _harmless(self, request: Request) -> Request:
        return replace(request, prompt=self._controls.broken(request.prompt))

    def _over(self, prompt_tokens: int) -> int:
        """Tokens of a prompt and its caption beyond the model's context."""
        if self.context_tokens is None:
            return 0
        needed = prompt_tokens + self.settings.generation.max_new_tokens
        return max(0, needed - self.context_tokens)

    def _shortened(self, request: Request, tokens: int, over: int) -> Request:
        less = fitting.shortened(request, over, self._text_tokens)
        if less is None:
            raise SceneError(
                f"pictures and question take {tokens:,} tokens and a caption up to "
                f"{self.settings.generation.max_new_tokens:,}, more than the "
                f"{self.context_tokens:,} of the model's context: ask for fewer or smaller frames "
                "or shorter captions"
            )
        return less

    def _text_tokens(self, text: str) -> int:
        harmless = self._controls.broken(text)
        return len(self.processor.tokenizer(harmless, add_special_tokens=False)["input_ids"])

    def generate(self, prepared: Prepared, max_new_tokens: int | None = None) -> Generated:
        """Run `generate`; prefill ends and decoding begins when the first scores are there."""
        limit = max_new_tokens or self.settings.generation.max_new_tokens
        # Dummy weights never end a caption: each takes the maximum number of steps.
        least = limit if self.dummy else self.settings.generation.min_new_tokens
        return self._generate(prepared, limit, least)

    def _generate(self, prepared: Prepared, limit: int, least: int) -> Generated:
        beams = self.settings.generation.num_beams
        lengths = generation.Lengths(least, limit)
        tokenizer = self.processor.tokenizer
        return generation.generate(
            self.model, tokenizer, prepared, lengths, beams, self.synchronise, self.choosing
        )

    def tokens_of(self, tokens: Sequence[int], characters: tuple[int, int]) -> range:
        """By how much text the first so many tokens make; a few of them for each end."""
        decode = self.processor.tokenizer.decode

        def length(count: int) -> int:
            return len(decode(tokens[:count], skip_special_tokens=True))

        whole = decode(tokens, skip_special_tokens=True)
        before = len(whole) - len(whole.lstrip())  # A text is kept without the space around it.
        start, end = (before + place for place in characters)
        first = bisect_right(range(len(tokens) + 1), start, key=length) - 1
        return range(first, bisect_left(range(len(tokens) + 1), end, key=length))

    def synchronise(self) -> None:
        """Wait for each GPU that holds the model."""
        if self._gpu:
            gpu_memory.wait(self._gpus)

    def release_memory(self) -> None:
        """What torch's allocator keeps."""
        if self._gpu:
            import torch

            torch.cuda.empty_cache()

    def reset_memory_peaks(self) -> None:
        """Reset the allocator's peaks."""
        if self._gpu:
            gpu_memory.reset_peaks()

    def memory_peaks(self) -> gpu_memory.Peaks | None:
        """From torch's allocator; None without a GPU."""
        return gpu_memory.peaks() if self._gpu else None

    def room(self, prepared: Prepared) -> int:
        """Based on one caption: measured on a GPU, elsewhere estimated from its cache."""
        if self._gpu:
            return max(1, min([LARGEST_BATCH, *self._measured(prepared)]))
        tokens = prepared.prompt_tokens[0] + self.settings.generation.max_new_tokens
        beams = self.settings.generation.num_beams
        each = tokens * beams * cached_values(self.model.config) * self._dtype.itemsize * COMPUTING
        free = psutil.virtual_memory().available
        return max(1, min(LARGEST_BATCH, int(free * SHARE / each)))

    def _measured(self, prepared: Prepared) -> list[int]:
        """How many captions of full length fit on each GPU beside the weights."""
        limit = self.settings.generation.max_new_tokens
        return gpu_memory.rooms(lambda: self._generate(prepared, limit, limit), SHARE)

    def placement(self) -> tuple[str, ...]:
        """As distributed by accelerate."""
        spread = getattr(self.model, "hf_device_map", None) or {"": self.model.device}
        names = (f"cuda:{to}" if isinstance(to, int) else str(to) for to in spread.values())
        return tuple(sorted(set(names)))

    def parameters_millions(self) -> float:
        """As counted by transformers, packed 4-bit weights counted in full."""
        return float(self.model.num_parameters()) / 1e6

    def left_out(self) -> tuple[str, ...]:
        """Settings of the checkpoint that are not about its special tokens."""
        return self._left_out

    def architecture(self) -> Architecture:
        """From its configuration and its weights."""
        return describe(self.model, self.connectors)

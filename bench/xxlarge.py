#!/usr/bin/env python3
"""Compares debertac with transformers on the largest published shape, DeBERTa v2 xxlarge: 1565 million parameters in float32.

    python bench/xxlarge.py --dir FOLDER --debertac build/debertac

The weights are drawn from a fixed seed, so nothing is downloaded. FOLDER keeps the model (6.3 GB). While debertac runs, FOLDER also holds the
packed weights, which take as much again. The two programs run one after the other, in processes of their own, and the script prints the largest
memory of each. debertac maps its weights, so its memory includes pages of the file that the system could drop at any time. --small uses a small
model with all of the same parts. The interpreter needs the packages of bench/peers/requirements.txt. The exit code is 0 if every number is within
--tolerance.
"""
import argparse, json, os, shutil, subprocess, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [p for p in sys.path if os.path.abspath(p) != HERE]  # a script in this folder must not hide a package of the same name
RECORD = os.path.join(HERE, "..", "docs", "record.py")
SHARD = 1 << 30  # bytes

CONFIG = {
    "model_type": "deberta-v2", "architectures": ["DebertaV2Model"], "hidden_act": "gelu", "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1, "initializer_range": 0.02, "layer_norm_eps": 1e-7, "max_position_embeddings": 512,
    "type_vocab_size": 0, "position_biased_input": False, "pad_token_id": 0, "relative_attention": True, "max_relative_positions": -1,
    "position_buckets": 256, "pos_att_type": ["p2c", "c2p"], "share_att_key": True, "norm_rel_ebd": "layer_norm",
    "conv_kernel_size": 3, "conv_act": "gelu",
}
XXLARGE = {"hidden_size": 1536, "num_hidden_layers": 48, "num_attention_heads": 24, "intermediate_size": 6144, "vocab_size": 128100}
SMALL = {"hidden_size": 192, "num_hidden_layers": 48, "num_attention_heads": 3, "intermediate_size": 768, "vocab_size": 2000}


def draw(name, shape, seed):
    """Draws one tensor. Matrices keep the variance of their input, so that no activation dies out. Layers add little to a row, and attention is peaked:
    otherwise the rows of all tokens would be alike after a few layers, because attention computes means."""
    import torch
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    if name.endswith("bias"):
        return x.mul_(0.05)
    if len(shape) == 1:
        return x.mul_(0.1).add_(1)  # gains of norms
    if "embeddings" in name:
        return x
    fan_in = 1
    for d in shape[1:]:
        fan_in *= d
    gain = 2.0 if "query" in name or "key" in name else 0.2 if "output.dense" in name else 1.0
    return x.mul_(gain * fan_in ** -0.5)


def write_model(folder, config, seed):
    """Writes a model folder in the form of transformers, one shard at a time, so that no more than one shard is in memory."""
    import torch
    from safetensors.torch import save_file
    from transformers import DebertaV2Config, DebertaV2Model
    text = json.dumps({**config, "seed": seed}, indent=1)
    done = os.path.join(folder, "drawn.json")  # written last
    if os.path.exists(done) and open(done).read() == text:
        print(f"{folder} is there already")
        return
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    with torch.device("meta"):
        shapes = {k: tuple(v.shape) for k, v in DebertaV2Model(DebertaV2Config(**config)).state_dict().items()}
    shards, size = [[]], 0
    for name, shape in shapes.items():
        n = 4 * torch.Size(shape).numel()
        if shards[-1] and size + n > SHARD:
            shards.append([])
            size = 0
        shards[-1].append(name)
        size += n
    places = {}
    for i, names in enumerate(shards):
        file = f"model-{i + 1:05}-of-{len(shards):05}.safetensors"
        save_file({k: draw(k, shapes[k], seed + list(shapes).index(k)) for k in names}, os.path.join(folder, file), {"format": "pt"})
        places.update(dict.fromkeys(names, file))
    total = sum(4 * torch.Size(s).numel() for s in shapes.values())
    with open(os.path.join(folder, "model.safetensors.index.json"), "w") as f:
        json.dump({"metadata": {"total_size": total}, "weight_map": places}, f)
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(config, f, indent=1)
    with open(done, "w") as f:
        f.write(text)
    print(f"{folder}: {total / 4e6:.0f} million parameters, {len(shards)} files, {total / 1e9:.2f} GB")


def measured(what, command, **more):
    """Runs a command and returns its output and exit code. Prints its time and the largest memory of it and its children."""
    begin = time.time()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **more)
    out = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    print(f"{what}: {time.time() - begin:.0f} s, at most {usage.ru_maxrss / (1 << 20 if sys.platform != 'darwin' else 1 << 30):.1f} GiB")
    return out, child.returncode


def alive(outputs, layers):
    """Exits unless the rows of different tokens differ: a comparison of rows that are all alike would show little."""
    from safetensors.torch import load_file
    recorded = load_file(outputs)
    for i in layers:
        x = recorded[f"hidden_states.{i}"].flatten(0, 1)
        apart = (x.std(0).mean() / x.std()).item()
        print(f"layer {i:2}: largest value {x.abs().max():.3f}, standard deviation {x.std():.3f}, over tokens {apart:.2f} of it")
        if not apart > 0.25:
            sys.exit("the rows of different tokens are alike: the weights are not drawn well")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--dir", required=True, help="a folder for the model and what is computed")
    p.add_argument("--debertac", default="build/debertac")
    p.add_argument("--tokens", type=int, default=128)
    p.add_argument("--layers", default="1,24,48", help="the layers whose hidden states are compared")
    p.add_argument("--tolerance", type=float, default=1e-4, help="largest allowed difference, as a share of the largest value")
    p.add_argument("--isa", help="instruction sets, with commas; by default all that this machine has, without portable Go, which takes long")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--small", action="store_true", help="a small model with all of the same parts")
    p.add_argument("--no-convolution", action="store_true", help="leave the convolution out, as other shapes do")
    a = p.parse_args()
    a.debertac = shutil.which(a.debertac) or os.path.abspath(a.debertac)  # a path, so that no program in PATH is taken
    config = {**CONFIG, **(SMALL if a.small else XXLARGE)}
    if a.no_convolution:
        config = {k: v for k, v in config.items() if not k.startswith("conv_")}
    os.makedirs(a.dir, exist_ok=True)
    need = (1 if a.small else 14) << 30
    model, outputs = os.path.join(a.dir, "model"), os.path.join(a.dir, "outputs.safetensors")
    free = shutil.disk_usage(a.dir).free
    if free < need and not os.path.exists(os.path.join(model, "drawn.json")):
        sys.exit(f"{a.dir} has room for {free / 1e9:.1f} GB, {need / 1e9:.1f} GB are needed")
    # Drawing is a process of its own too, so that this one stays small.
    drawing = os.fork()
    if drawing == 0:
        write_model(model, config, a.seed)
        sys.stdout.flush()
        os._exit(0)
    _, status, usage = os.wait4(drawing, 0)
    if status:
        sys.exit("the weights cannot be drawn")
    print(f"drawing: at most {usage.ru_maxrss / (1 << (20 if sys.platform != 'darwin' else 30)):.1f} GiB")

    _, code = measured("transformers", [sys.executable, RECORD, model, outputs, "--random", f"1x{a.tokens}", "--layers", a.layers, "--seed", str(a.seed)])
    if code:
        sys.exit(code)
    alive(outputs, [int(i) for i in a.layers.split(",")])

    isas = a.isa
    if not isas:
        doctor = json.loads(subprocess.run([a.debertac, "doctor", "--json"], check=True, capture_output=True, text=True).stdout)
        isas = ",".join(k["isa"] for k in doctor["kernels"] if k["usable"] and k["isa"] != "go") or "go"
    command = [a.debertac, "verify", "--model", model, "--outputs", outputs, "--of-largest", str(a.tolerance), "--isa", isas, "--json"]
    out, code = measured("debertac", command, env={**os.environ, "TMPDIR": os.path.abspath(a.dir)})
    for row in map(json.loads, out.splitlines()):
        if row.get("reason"):
            print(f"{row.get('isa', '')} {row.get('tensor', '')}: {row['reason']}")
        elif "tensor" in row:
            print(f"{row['isa']:8} {row['tensor']:20} largest difference {row['error']:.3g}, {row['error'] / row['largest']:.3g} of the largest value {row['largest']:.3f}"
                  f" ({row['compared']} numbers){'' if row['ok'] else '  NOT WITHIN ' + str(a.tolerance)}")
    print(out.splitlines()[-1] if out else "debertac printed no result")
    return code


if __name__ == "__main__":
    sys.exit(main())

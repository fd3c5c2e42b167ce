#!/bin/sh
# Makes the pictures of docs/lab.md from the published models: docs/lab/pictures.sh MNIST FASHION [RUN-OF-AAE], from the checkout's folder, where
# `cargo build --release --workspace` has left the programs. MNIST and FASHION are folders of IDX files.
set -eu
root=$(pwd)
train="$root/target/release/latentd-train"
latentd() { "$root/target/release/latentd" -q --models "$root/models" "$@"; }
mnist=$(realpath "$1") fashion=$(realpath "$2") run=${3:+$(realpath "$3")}
out="$root/docs/lab"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

"$train" export --data "$mnist" --out test -n 2000
"$train" export --data "$mnist" --out original -n 12
"$train" export --data "$mnist" --out noisy -n 12 --noisy
"$train" export --data "$mnist" --out small -n 12 --halved
"$train" export --data "$fashion" --out clothes -n 12
"$train" export --data "$fashion" --out clothes-noisy -n 12 --noisy
pipeline() { printf 'name: %s\nsource: { folder: { path: ./in } }\nstages: [ %s ]\nsink: { folder: { path: ./out } }\n' "$1" "$2" > "$1.yaml"; }
pipeline denoise '{ denoise: { model: digits-denoise } }'
pipeline upscale '{ upscale: { model: digits-upscale-x2 } }'
latentd apply denoise.yaml noisy --out denoised
latentd apply denoise.yaml clothes-noisy --out clothes-denoised
latentd apply upscale.yaml small --out enlarged

latentd plot scatter digits-vae2 test --labels -o "$out/scatter-vae2.png" --title "digits-vae2: 2,000 test digits"
latentd plot scatter digits-vae20 test --labels -o "$out/scatter-vae20.png" --title "digits-vae20: 2,000 test digits"
latentd plot grid digits-vae2 --zoom 1 -o "$out/grid-vae2.png"
latentd plot grid digits-cvae --steps 12 -o "$out/grid-cvae.png" --title "digits-cvae: a class a row"
latentd plot reconstruct digits-ae,digits-ae16,digits-ae2,digits-vae20,digits-vae2,digits-aae original --latents \
    -o "$out/reconstruct.png" --title "What is left of test digits"
latentd plot compare original noisy denoised -o "$out/denoise.png" --title "digits-denoise"
latentd plot compare original small enlarged -o "$out/upscale.png" --title "digits-upscale-x2"
latentd plot compare clothes clothes-noisy clothes-denoised -o "$out/clothes.png" --title "digits-denoise on Fashion-MNIST"
for model in digits-vae20 digits-aae digits-ae; do
    latentd sample $model -n 36 --seed 7 -o "samples-$model" > /dev/null
    latentd plot compare "samples-$model" -n 36 -o "$out/samples-${model#digits-}.png" --title "$model: random latents, decoded"
done
latentd perturb digits-vae20 "$(find original/7 -name '*.png' | sort | head -1)" --amounts 0,0.25,0.5,1,1.5,2,3 -n 3 --seed 3 -o strayed > /dev/null
latentd plot compare strayed -n 21 --columns 7 -o "$out/perturb.png" --title "digits-vae20: noise of 0 to 3 on a latent"
if [ -n "$run" ]; then latentd plot curves "$run" -o "$out/curves-aae.svg" --title "digits-aae"; fi

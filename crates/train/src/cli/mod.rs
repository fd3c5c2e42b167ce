//! The command line: one command a file.

mod bench;
mod digits;
mod draws;
mod eval;
mod eval_music;
mod eval_protocol;
mod exit;
mod init;
mod melody;
mod mixtures;
mod recipes;
mod small;
mod speech;
mod stop;
mod train;

use std::ops::RangeInclusive;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use latentd::Kind;

use crate::recipes::denoise_photo::Noise;
use crate::recipes::upscale_photo::Input;
use crate::refuse;
use crate::tell;

/// Trains the models of latentd with burn and publishes them as ONNX.
#[derive(Parser)]
#[command(name = "latentd-train", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What `--held-out` is for small pictures, of which there are many.
const HELD_OUT: &str = "Pictures held out for the score during training (0: a twelfth of all, at most 5,000)";

/// What `--held-out` is for speech, of which one recording in so many is held out.
const MIXTURES: &str = "Mixtures that a run is scored on, of a twelfth of the recordings, which are held out";

#[derive(Subcommand)]
enum Command {
    /// Train a network that takes white noise of a known level (0..50 of 255) out of colour photos
    DenoisePhoto(recipes::Denoise),
    /// Train a network that takes the noise of cameras and JPEG artefacts out of colour photos
    DenoiseCamera(recipes::Denoise),
    /// Train a network that makes photos twice as large
    UpscalePhotoX2(recipes::Upscale),
    /// Train a network that makes photos three times as large
    UpscalePhotoX3(recipes::Upscale),
    /// Train a network that makes photos four times as large
    UpscalePhotoX4(recipes::Upscale),
    /// Train a network that makes photos of phones and the web twice as large, without their noise and JPEG artefacts
    UpscaleCameraX2(recipes::Upscale),
    /// Train a network that makes photos of phones and the web four times as large, without their noise and JPEG artefacts
    UpscaleCameraX4(recipes::Upscale),
    /// Train a variational autoencoder of melodies, drums or songs on a grid of 16th notes
    #[command(mut_arg("batch", |arg| arg.default_value("256")), mut_arg("held_out", |arg| arg.default_value("200")), mut_arg("score_every", |arg| arg.default_value("200")))]
    Melody(melody::Melody),
    /// Train a network that takes everything but speech out of 48 kHz sound, live
    #[command(mut_arg("held_out", |arg| arg.help(MIXTURES)))]
    DenoiseSpeech(speech::Speech),
    /// Write mixtures of speech and noise for another denoiser to clean: `denoise-speech --taught` learns from what it makes of them
    Mixtures(mixtures::Mixtures),
    /// Train an autoencoder of small pictures: digits (MNIST's files), or any folder of pictures
    #[command(mut_arg("batch", |arg| arg.default_value("128")), mut_arg("held_out", |arg| arg.default_value("0").help(HELD_OUT)), mut_arg("score_every", |arg| arg.default_value("500")))]
    Autoencoder(small::Autoencoder),
    /// Train a network that takes heavy noise out of small pictures, or makes them twice as large
    #[command(mut_arg("batch", |arg| arg.default_value("128")), mut_arg("held_out", |arg| arg.default_value("0").help(HELD_OUT)), mut_arg("score_every", |arg| arg.default_value("500")))]
    Restore(small::RestoreArgs),
    /// Train the whole set of digits models, one after another
    Digits(digits::Digits),
    /// Train linear classifiers on frozen latents, on principal components and on raw pixels
    Probe(digits::Probe),
    /// Write the pictures of IDX files (MNIST, Fashion-MNIST) as PNG files
    Export(digits::Export),
    /// Measure a published model on a folder of pictures by the papers' protocol
    Eval(eval::Eval),
    /// Fit what `latentd sample` draws of a published model of melodies to a folder of tunes: no training, and no change of the network
    Draws(draws::Draws),
    /// Measure how fast this machine trains
    Bench(bench::Bench),
}

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Whoever has hung up hears nothing.
            let _ = error.print();
            let help = !error.use_stderr();
            return if help { ExitCode::SUCCESS } else { Kind::Usage.exit_code().into() };
        }
    };
    match dispatch(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(format_args!("latentd-train: {error:#}"));
            exit::code(&error).into()
        }
    }
}

/// Widths of networks: what is wider takes all memory before anybody can stop it.
const WIDTHS: RangeInclusive<usize> = 1..=4096;

/// Blocks of networks.
const BLOCKS: RangeInclusive<usize> = 0..=64;

/// Refuses values of an option that are too small or too large.
fn within(option: &str, values: &[usize], allowed: RangeInclusive<usize>) -> Result<()> {
    match values.iter().find(|value| !allowed.contains(value)) {
        Some(value) => refuse!(Usage, "{option} must be {} to {}, not {value}", allowed.start(), allowed.end()),
        None => Ok(()),
    }
}

fn dispatch(command: Command) -> Result<()> {
    match command {
        Command::DenoisePhoto(denoise) => denoise.run(Noise::White),
        Command::DenoiseCamera(denoise) => denoise.run(Noise::Camera),
        Command::UpscalePhotoX2(upscale) => upscale.run(Input::Clean, 2),
        Command::UpscalePhotoX3(upscale) => upscale.run(Input::Clean, 3),
        Command::UpscalePhotoX4(upscale) => upscale.run(Input::Clean, 4),
        Command::UpscaleCameraX2(upscale) => upscale.run(Input::Camera, 2),
        Command::UpscaleCameraX4(upscale) => upscale.run(Input::Camera, 4),
        Command::Melody(melody) => melody.run(),
        Command::DenoiseSpeech(speech) => speech.run(),
        Command::Mixtures(mixtures) => mixtures.run(),
        Command::Autoencoder(autoencoder) => autoencoder.run(),
        Command::Restore(restore) => restore.run(),
        Command::Digits(digits) => digits.run(),
        Command::Probe(probe) => probe.run(),
        Command::Export(export) => export.run(),
        Command::Eval(eval) => eval.run(),
        Command::Draws(draws) => draws.run(),
        Command::Bench(bench) => bench.run(),
    }
}

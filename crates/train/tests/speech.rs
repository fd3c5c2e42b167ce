//! The speech model runs frame by frame in tract as it was trained in burn, and what it learns from is what it should be.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use burn::module::Module;
use burn::tensor::Device;
use latentd::media::audio::{Audio, Block, Depth, Memory, encode};
use latentd::model::{Golden, Kernel, Model, Place, Session, Stream, Training, verify};
use latentd_train::data::speech::{Corpus, Mixer, RATE, Recording, Taught, read};
use latentd_train::dsp::math::{rms, si_sdr};
use latentd_train::layers::Init;
use latentd_train::onnx::Weights;
use latentd_train::publish::{Publication, TOLERANCE};
use latentd_train::recipes::denoise_speech::loss::{self, Loss};
use latentd_train::recipes::denoise_speech::{DenoiseSpeech, Network, Shape, pattern};
use latentd_train::recipes::{Recipe, denoise_speech};
use rand::SeedableRng;
use rand::rngs::StdRng;

const HOP: usize = denoise_speech::zones::HOP;

fn recipe(width: usize, blocks: usize) -> DenoiseSpeech {
    DenoiseSpeech {
        shape: Shape { width, blocks },
        corpus: Corpus::default(),
        development: Vec::new(),
        batch: 1,
        mixer: Mixer::new(HOP * 10),
        longer: Mixer::new(HOP * 20),
        taught: None,
        loss: Loss::new(loss::Weights::default()),
    }
}

fn publish(recipe: &DenoiseSpeech, seed: u64) -> (Network, Publication, Model) {
    let device = Device::flex();
    let network = recipe.network(&mut Init::new(seed, &device));
    let training = Training {
        recipe: "a test".to_owned(),
        data: Vec::new(),
        seed,
        steps: 0,
        hours: 0.0,
        burn: String::new(),
        commit: String::new(),
        init: None,
    };
    let published =
        Publication::new(recipe, &network, "a-test", training, None, &device).expect("burn and tract agree");
    let model = Model::new(published.card.clone(), &published.onnx, Place::Memory).expect("a model");
    (network, published, model)
}

/// Largest difference over the largest value.
fn relative(found: &[f32], wanted: &[f32]) -> f32 {
    let largest = wanted.iter().fold(1e-9f32, |most, v| most.max(v.abs()));
    found.iter().zip(wanted).fold(0f32, |most, (a, b)| most.max((a - b).abs())) / largest
}

#[test]
fn five_hundred_frames_in_tract_are_those_of_burn() {
    const FRAMES: usize = 500;
    let recipe = recipe(16, 2);
    let (network, _, model) = publish(&recipe, 7);
    let trace = recipe.trace(&network, &pattern((FRAMES + 1) * HOP), &Device::flex());
    let inputs: Vec<(&str, &[usize])> =
        vec![("spectrum", &[1, 2, 481]), ("state_0", &[1, 16, 32]), ("state_1", &[1, 16, 32]), ("past", &[1, 8, 66])];
    for &kernel in Kernel::ALL {
        let outputs = ["output", "next_state_0", "next_state_1", "next_past"];
        let session = Session::by(&model, &inputs, &outputs, kernel).expect("a session");
        let mut states = [vec![0f32; 512], vec![0f32; 512], vec![0f32; 528]];
        for t in 0..FRAMES {
            let mut found =
                session.run(&[&trace.input[t], &states[0], &states[1], &states[2]]).expect("a frame").into_iter();
            let output = found.next().expect("an output");
            let difference = relative(&output, &trace.output[t]);
            assert!(difference < TOLERANCE, "frame {t} by {}: {difference}", kernel.name());
            for (index, (state, next)) in states.iter_mut().zip(found).enumerate() {
                *state = next;
                let difference = relative(state, &trace.states[index][t]);
                assert!(difference < TOLERANCE, "state {index} after frame {t} by {}: {difference}", kernel.name());
            }
        }
    }
}

#[test]
fn a_deeper_network_begins_where_the_shallower_one_ended() {
    let (shallow, deep) = (recipe(16, 2), recipe(16, 4));
    let (network, published, _) = publish(&shallow, 7);
    let device = Device::flex();
    let fresh = deep.network(&mut Init::new(8, &device));
    let (loaded, report) = Weights::decode(&published.onnx).expect("weights").load_into(fresh);
    assert!(report.left.is_empty() && !report.absent.is_empty(), "{report:?}");
    // Enough of it fits to begin from.
    assert!(2 * report.taken >= report.there.min(report.here), "{report:?}");
    let grown = deep.grown(loaded, &report.absent);
    let samples = pattern(20 * HOP);
    let wanted = shallow.trace(&network, &samples, &device).output;
    let found = deep.trace(&grown, &samples, &device).output;
    for (found, wanted) in found.iter().zip(&wanted) {
        assert!(relative(found, wanted) < 1e-6);
    }
    // An optimizer tells parameters apart by their identity: what was copied has its own.
    let ids = burn::module::list_param_ids(&grown);
    assert_eq!(ids.iter().collect::<std::collections::HashSet<_>>().len(), ids.len());
}

#[test]
fn the_daemons_stream_gives_what_burn_gives() {
    let recipe = recipe(16, 2);
    let (network, _, model) = publish(&recipe, 3);
    let samples = pattern(121 * HOP);
    let trace = recipe.trace(&network, &samples, &Device::flex());
    let audio = Audio::new(Memory::new(RATE, Block::from_planes(vec![samples.clone()])), Depth::Float);
    let found = audio.through(Stream::new(&model, 1).expect("a stream")).read_all().expect("samples");
    // burn's first frame begins with the first sample; the stream's half a frame earlier, so that states differ a little.
    let spectra: Vec<_> = trace
        .output
        .iter()
        .flat_map(|frame| {
            let (re, im) = frame.split_at(frame.len() / 2);
            re.iter().zip(im).map(|(&re, &im)| realfft::num_complex::Complex::new(re, im)).collect::<Vec<_>>()
        })
        .collect();
    let wanted = recipe.loss.stft.synthesise(&spectra);
    let (late, end) = (60 * HOP, 119 * HOP);
    assert_eq!(found.frames(), samples.len());
    assert!(si_sdr(&wanted[late..end], &found.plane(0)[late..end]) > 40.0);
}

#[test]
fn silence_stays_silent_and_states_stay_bounded() {
    let (_, published, model) = publish(&recipe(16, 2), 5);
    let audio = |samples: Vec<f32>| Audio::new(Memory::new(RATE, Block::from_planes(vec![samples])), Depth::Float);
    // States that are no longer numbers, or without end, would make noise of silence. The last frames of sound overlap it, and the filter over
    // time reaches back over four.
    let mut samples: Vec<f32> = pattern(200 * HOP).iter().map(|v| v * 1e6).collect();
    samples.resize(300 * HOP, 0.0);
    let heard = audio(samples).through(Stream::new(&model, 1).expect("a stream")).read_all().expect("samples");
    let (loud, silent) = heard.plane(0).split_at(207 * HOP);
    assert!(loud.iter().all(|v| v.is_finite()) && loud.iter().any(|v| *v != 0.0));
    assert!(silent.iter().all(|v| *v == 0.0));
    // What the card tells is enough to run the golden frame.
    let golden = Golden::from_bytes(&published.golden).expect("a golden file");
    assert!(verify(&model, &golden, Kernel::BEST_GUESS).expect("it runs") < TOLERANCE);
    let audio = published.card.audio.expect("a section `audio`");
    assert_eq!((audio.sample_rate, audio.latency(), audio.delay(), audio.states.len()), (48_000, 960, 480, 3));
}

/// All weights of a network, in the order of its record.
fn bytes(network: Network) -> Vec<u8> {
    struct Values(Vec<u8>);
    impl burn::module::ModuleVisitor for Values {
        fn visit_float<const D: usize>(&mut self, param: &burn::module::Param<burn::tensor::Tensor<D>>) {
            self.0.extend_from_slice(param.val().into_data().as_bytes());
        }
    }
    let mut values = Values(Vec::new());
    network.visit(&mut values);
    values.0
}

#[test]
fn weights_come_back_exactly() {
    let recipe = recipe(16, 1);
    let (network, published, _) = publish(&recipe, 3);
    let other = recipe.network(&mut Init::new(4, &Device::flex()));
    let (loaded, report) = Weights::decode(&published.onnx).expect("weights").load_into(other);
    assert!(report.left.is_empty(), "{report:?}");
    assert_eq!(bytes(loaded), bytes(network));
}

/// A GRU's gates lie side by side: a narrow one's were spread over those of the wide one.
#[test]
fn of_a_narrower_model_only_convolutions_are_widened() {
    let (_, published, _) = publish(&recipe(16, 1), 3);
    let wide = recipe(24, 1).network(&mut Init::new(4, &Device::flex()));
    let gates = |network: &Network| network.blocks[0].gru.state.val().into_data().iter::<f32>().collect::<Vec<_>>();
    let before = gates(&wide);
    let (loaded, report) = Weights::decode(&published.onnx).expect("weights").load_into(wide);
    assert!(gates(&loaded) == before);
    let left = report.left.iter().filter(|what| what.starts_with("blocks.0.gru.")).count();
    assert!(left == 4 && report.widened > 8 && report.larger.is_empty(), "{report:?}");
    let narrow = recipe(8, 1).network(&mut Init::new(4, &Device::flex()));
    let (_, report) = Weights::decode(&published.onnx).expect("weights").load_into(narrow);
    assert!(report.larger.iter().any(|what| what.starts_with("encoder.0.weight is [16, ")), "{report:?}");
}

/// A hum that could pass for a voice: harmonics that come and go.
fn voice(seconds: f32, pitch: f32) -> Vec<f32> {
    (0..(seconds * RATE as f32) as usize)
        .map(|n| {
            let time = n as f32 / RATE as f32;
            let syllable = (time * 20.0).sin().max(0.0);
            let tone: f32 = (1..12).map(|k| (time * pitch * k as f32 * std::f32::consts::TAU).sin() / k as f32).sum();
            0.2 * syllable * tone
        })
        .collect()
}

fn hiss(seconds: f32) -> Vec<f32> {
    let mut state = 9u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..(seconds * RATE as f32) as usize).map(|_| 0.1 * next()).collect()
}

fn write_wav(path: &Path, samples: Vec<f32>) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    let audio = Audio::new(Memory::new(RATE, Block::from_planes(vec![samples])), Depth::Integer(16));
    encode::write(audio, &mut File::create(path).expect("a file")).expect("a WAV file");
}

#[test]
fn mixtures_are_speech_and_noise_at_all_levels() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, pitch) in [("a", 120.0), ("b", 210.0)] {
        write_wav(&folder.path().join("speech").join(name).with_extension("wav"), voice(4.0, pitch));
    }
    write_wav(&folder.path().join("noise/hiss.wav"), hiss(4.0));
    let corpus = Corpus::load(&[folder.path().join("speech")], &[folder.path().join("noise")]).expect("recordings");
    let mixer = Mixer::new(HOP * 60);
    let mut rng = StdRng::seed_from_u64(1);
    let (mut quiet, mut speechless, mut noiseless) = (0, 0, 0);
    for _ in 0..150 {
        let clip = mixer.draw(&mut rng, &corpus);
        assert_eq!((clip.noisy.len(), clip.clean.len()), (HOP * 60, HOP * 60));
        assert!(clip.noisy.iter().chain(&clip.clean).all(|v| v.is_finite() && v.abs() <= 1.0));
        quiet += usize::from(rms(&clip.noisy) < 0.02);
        speechless += usize::from(rms(&clip.clean) == 0.0);
        noiseless += usize::from(clip.noisy == clip.clean);
    }
    assert!(quiet > 20 && (2..40).contains(&speechless) && noiseless > 1, "{quiet} {speechless} {noiseless}");
    // The same seed, the same clip.
    let draw = || mixer.draw(&mut StdRng::seed_from_u64(5), &corpus).noisy;
    assert_eq!(draw(), draw());
}

#[test]
fn what_a_teacher_made_of_mixtures_is_drawn_beside_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let (speech, noise) = (voice(4.0, 150.0), hiss(4.0));
    let sum = |share: f32| -> Vec<f32> { speech.iter().zip(&noise).map(|(a, b)| a + share * b).collect() };
    for (name, share) in [("a.wav", 1.0), ("clean.wav", 0.0)] {
        write_wav(&at("noisy").join(name), sum(share));
        write_wav(&at("clean").join(name), speech.clone());
        write_wav(&at("taught").join(name), sum(0.5 * share));
    }
    // Not cleaned yet, or of something else.
    write_wav(&at("noisy/b.wav"), sum(1.0));
    write_wav(&at("taught/c.wav"), sum(0.5));
    let taught = Taught::open(folder.path(), HOP * 50).expect("mixtures");
    assert_eq!(taught.count(), 2);
    let mut rng = StdRng::seed_from_u64(3);
    let clips: Vec<_> = (0..20).map(|_| taught.draw(&mut rng, HOP * 50).expect("a clip")).collect();
    let (lessons, clean): (Vec<_>, Vec<_>) = clips.iter().partition(|clip| clip.taught.is_some());
    assert!(!lessons.is_empty() && clean.iter().all(|clip| clip.noisy == clip.clean));
    for clip in lessons {
        let made = clip.taught.as_ref().expect("a lesson");
        // Half-way between the two, so all three are of the same time.
        let apart = made.iter().zip(clip.noisy.iter().zip(&clip.clean)).map(|(m, (n, c))| (m - (n + c) / 2.0).abs());
        assert!(apart.fold(0.0, f32::max) < 1e-4);
    }
    assert!(taught.draw(&mut rng, HOP * 350).is_none(), "longer than what the teacher is known to do well");
    assert!(Taught::open(folder.path(), HOP * 350).is_err());
    assert!(Taught::open(&at("noisy"), HOP).is_err());
}

#[test]
fn opus_files_are_read_in_time() {
    use ogg::PacketWriteEndInfo::{EndPage, EndStream, NormalPacket};
    use ropus::{Application, Channels, Encoder};
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("voice.opus");
    let samples = voice(1.0, 150.0);
    let mut encoder = Encoder::builder(RATE, Channels::Mono, Application::Audio).build().expect("an encoder");
    let skip = encoder.lookahead() as usize;
    let mut head = b"OpusHead\x01\x01".to_vec();
    head.extend((skip as u16).to_le_bytes());
    head.extend(RATE.to_le_bytes());
    head.extend([0, 0, 0]);
    let mut tags = b"OpusTags".to_vec();
    tags.extend([4, 0, 0, 0, b't', b'e', b's', b't', 0, 0, 0, 0]);
    let mut writer = ogg::PacketWriter::new(File::create(&path).expect("a file"));
    writer.write_packet(head, 1, EndPage, 0).expect("a packet");
    writer.write_packet(tags, 1, EndPage, 0).expect("a packet");
    let mut padded = samples.clone();
    padded.resize((samples.len() + skip).next_multiple_of(960), 0.0);
    let count = padded.len() / 960;
    for (index, frame) in padded.chunks(960).enumerate() {
        let mut packet = vec![0u8; 4000];
        let size = encoder.encode_float(frame, &mut packet).expect("a packet");
        packet.truncate(size);
        let last = index + 1 == count;
        let position = if last { samples.len() + skip } else { (index + 1) * 960 };
        writer.write_packet(packet, 1, if last { EndStream } else { NormalPacket }, position as u64).expect("a packet");
    }
    drop(writer);
    let found = read(&path, RATE).expect("samples");
    assert_eq!(found.len(), samples.len());
    assert!(si_sdr(&samples, &found) > 10.0, "{}", si_sdr(&samples, &found));
    // Many programs end the name of such a file as of any other Ogg file.
    fs::copy(&path, folder.path().join("voice.ogg")).expect("a file");
    assert!(read(&folder.path().join("voice.ogg"), RATE).expect("samples") == found);
    fs::write(folder.path().join("bad.opus"), b"OggS but nothing else").expect("a file");
    assert!(Recording::open(&folder.path().join("bad.opus"), <[f32]>::to_vec).is_err());
}

#[test]
fn the_program_trains_publishes_and_cleans() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    write_wav(&at("speech/a.wav"), voice(3.0, 130.0));
    write_wav(&at("noise/hiss.wav"), hiss(3.0));
    let noisy: Vec<f32> = voice(1.0, 130.0).iter().zip(hiss(1.0)).map(|(a, b)| a + b).collect();
    write_wav(&at("noisy/a.wav"), noisy);
    write_wav(&at("clean/a.wav"), voice(1.0, 130.0));
    let run = |arguments: &str| {
        let program = Command::new(env!("CARGO_BIN_EXE_latentd-train"))
            .args(arguments.split_whitespace())
            .current_dir(folder.path())
            .output()
            .expect("the program starts");
        let text =
            [program.stdout, program.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).join("\n");
        (program.status.success(), text)
    };
    let options =
        "--data speech --noise noise --out speech-model --width 8 --blocks 1 --seconds 0.3 --batch 2 --held-out 1";
    let (done, text) = run(&format!("denoise-speech {options} --steps 5 --score-every 5"));
    assert!(done, "{text}");
    assert!(text.contains("burn and tract differ"), "{text}");
    let (done, text) = run("eval speech-model --set noisy --clean clean --out enhanced --write");
    assert!(done && text.contains("mean of 1: SI-SDR"), "{text}");
    assert_eq!(read(&at("enhanced/a.wav"), RATE).expect("a file").len(), RATE as usize);
    let card = fs::read_to_string(at("speech-model/card.yaml")).expect("a card");
    assert!(card.contains("SI-SDR") && card.contains("sample_rate: 48000"), "{card}");
    let (done, text) = run("mixtures --data speech --noise noise --out lessons --hours 0.002 --seconds 3");
    assert!(done, "{text}");
    let (done, text) = run("mixtures --data speech --noise noise --out lessons --hours 0.002 --seconds 3");
    assert!(done && text.contains("all 3 mixtures are there"), "{text}");
    fs::create_dir(at("lessons/taught")).expect("a folder");
    for name in ["00000000.wav", "00000002.wav"] {
        fs::copy(at("lessons/clean").join(name), at("lessons/taught").join(name)).expect("a file");
    }
    let (done, text) =
        run(&format!("denoise-speech {} --steps 2 --taught lessons", options.replace("speech-model", "taught-model")));
    assert!(done && text.contains("2 mixtures"), "{text}");
    let (done, text) = run(&format!("denoise-speech --steps 1 --data nothing --noise noise {}", &options[28..]));
    assert!(!done && text.contains("nothing"), "{text}");
}

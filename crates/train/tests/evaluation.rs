//! `eval` runs models as the program does: all orientations with `--ensemble`, noise that is measured with `--sigma auto`.

mod desk;

use std::fs;
use std::path::Path;

use desk::Desk;
use latentd::model::Model;
use latentd_train::data::Picture;
use latentd_train::measure::psnr;

const MODELS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models");

/// The side of the pictures of a pair: a multiple of what the model takes.
const SIDE: usize = 64;

/// Soft shapes, with noise of up to so many steps to either side.
fn picture(width: usize, height: usize, noise: f32) -> image::RgbImage {
    image::RgbImage::from_fn(width as u32, height as u32, |x, y| {
        let place = |f: f32, g: f32| 128.0 + 90.0 * (x as f32 * f).sin() * (y as f32 * g).cos();
        let shades = [place(0.11, 0.07), place(0.05, 0.09), place(0.06, 0.06)];
        let draw = |c: u32| (x.wrapping_mul(7919) ^ (y * 104_729 + c * 31_337)).wrapping_mul(2_654_435_761) >> 24;
        let of = |c: usize| (shades[c] + noise * (draw(c as u32) as f32 / 127.5 - 1.0)) as u8;
        image::Rgb([of(0), of(1), of(2)])
    })
}

impl Desk {
    /// A folder `set` with one picture, and a pair of a noisy and a clean one.
    fn new() -> Self {
        let desk = Self::empty();
        for folder in ["set", "pairs", "models"] {
            fs::create_dir(desk.path(folder)).expect("a folder");
        }
        picture(160, 144, 0.0).save(desk.path("set/a.png")).expect("a picture");
        picture(SIDE, SIDE, 30.0).save(desk.path("pairs/a_real.png")).expect("a picture");
        picture(SIDE, SIDE, 0.0).save(desk.path("pairs/a_mean.png")).expect("a picture");
        desk
    }

    /// What `eval` prints, and what it tells beside that.
    fn eval(&self, arguments: &str) -> (String, String) {
        let output = self.run(&format!("eval {arguments}"));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{arguments}: {}", text(&output.stderr));
        (text(&output.stdout), text(&output.stderr))
    }
}

/// The mean PSNR that `eval` prints, of what came in and of what came out.
fn means((printed, _): &(String, String)) -> [f64; 2] {
    let line = printed.lines().find(|line| line.starts_with("mean of 1: ")).expect("a mean");
    let words: Vec<&str> = line.split_whitespace().collect();
    [words[3], words[6]].map(|number| number.parse().expect("a number"))
}

#[test]
fn an_ensemble_is_the_mean_of_eight_orientations() {
    let desk = Desk::new();
    let pair = format!("{MODELS}/denoise-photo-fast --set pairs --pairs _real,_mean --sigma 18");
    let [one, all] = [pair.clone(), format!("{pair} --ensemble")].map(|arguments| means(&desk.eval(&arguments))[1]);

    let open = |name: &str| Picture::open(&desk.path(name)).expect("a picture").planes();
    let (noisy, clean) = (open("pairs/a_real.png"), open("pairs/a_mean.png"));
    let model = Model::from_path(Path::new(&format!("{MODELS}/denoise-photo-fast"))).expect("a model");
    let plan = model.plan(SIDE, SIDE, model.choice().kernel).expect("a plan");
    let mut sum = vec![0f32; noisy.len()];
    for turn in 0..8 {
        // Where each value of the turned planes comes from.
        let from: Vec<usize> = (0..noisy.len())
            .map(|at| {
                let (color, v, u) = (at / (SIDE * SIDE), at / SIDE % SIDE, at % SIDE);
                let (x, y) = if turn & 4 == 0 { (u, v) } else { (v, u) };
                let x = if turn & 1 == 0 { x } else { SIDE - 1 - x };
                let y = if turn & 2 == 0 { y } else { SIDE - 1 - y };
                (color * SIDE + y) * SIDE + x
            })
            .collect();
        let turned = from.iter().map(|&at| noisy[at]).collect();
        let cleaned = plan.run(turned, 18.0 / 255.0).expect("it runs");
        from.iter().zip(&cleaned).for_each(|(&at, value)| sum[at] += value);
    }
    let mean: Vec<f32> = sum.iter().map(|sum| ((sum / 8.0).clamp(0.0, 1.0) * 255.0).round() / 255.0).collect();
    let expected = psnr(&clean, &mean);
    assert!((all - expected).abs() < 0.001, "{all} dB, and the mean of eight has {expected}");
    assert!(all > one + 0.1, "{all} and {one}");

    let enlarged = format!("{MODELS}/upscale-photo-x2-fast --set set");
    let [one, all] =
        [enlarged.clone(), format!("{enlarged} --ensemble")].map(|arguments| means(&desk.eval(&arguments)));
    assert!(one[0] == all[0] && one[1] != all[1], "{one:?} {all:?}");
    assert!(desk.fail(&format!("eval {MODELS}/denoise-speech --set set --out out --ensemble")).contains("of pictures"));
}

#[test]
fn noise_is_measured_and_a_clean_picture_stays_as_it_is() {
    let desk = Desk::new();
    let model = format!("{MODELS}/denoise-photo-fast --set set");
    let noisy = desk.eval(&format!("{model} --noise 20 --sigma auto"));
    let (auto, told) = (means(&noisy), means(&desk.eval(&format!("{model} --noise 20 --sigma 20"))));
    assert!(auto[0] == told[0] && (auto[1] - told[1]).abs() < 0.15, "{auto:?} {told:?}");
    assert!(auto[1] > auto[0] + 6.0, "{auto:?}");
    let measured = noisy.0.lines().next().and_then(|line| line.rsplit("sigma ").next()).expect("what was measured");
    let measured: f64 = measured.parse().expect("a number");
    assert!((measured - 20.0).abs() < 1.0, "{measured}");
    assert_eq!(means(&desk.eval(&format!("{model} --noise 20"))), auto);

    let (printed, beside) = desk.eval(&format!("{model} --noise 1 --sigma auto"));
    assert!(beside.contains("1 of 1 pictures measure clean and stay as they are"), "{beside}");
    let [before, after] = means(&(printed, beside));
    assert_eq!(before, after);
    // One that is told nothing finds the noise itself, and measures none.
    let (printed, beside) = desk.eval(&format!("{MODELS}/denoise-camera --set set --noise 1"));
    assert!(!printed.contains("sigma") && !beside.contains("measure clean"), "{printed}{beside}");

    for (options, why) in [("--sigma loud", "`auto`"), ("--noise 256", "0 to 255"), ("--noise 5 --camera", "cannot")] {
        assert!(desk.fail(&format!("eval {model} {options}")).contains(why), "{options}");
    }
    let enlarges = format!("eval {MODELS}/upscale-photo-x2-fast --set set");
    for options in ["--sigma auto", "--noise 5"] {
        assert!(desk.fail(&format!("{enlarges} {options}")).contains("for denoisers"), "{options}");
    }
}

#[test]
fn a_card_tells_how_a_score_was_measured() {
    let desk = Desk::new();
    let (from, to) = (Path::new(MODELS).join("denoise-photo-fast"), desk.path("models/denoise-photo-fast"));
    fs::create_dir(&to).expect("a folder");
    for file in ["card.yaml", "model.onnx"] {
        fs::copy(from.join(file), to.join(file)).expect("a file");
    }
    let command = "models/denoise-photo-fast --set set --noise 20 --sigma auto --ensemble";
    desk.succeed(&format!("eval {command} --write"));
    let card = Model::from_path(&to).expect("a model").card;
    let last = &card.metrics[card.metrics.len() - 2];
    assert_eq!(last.name, "set in 8 bits noise 20 sigma auto, ensemble, PSNR");
    assert_eq!(last.command, format!("latentd-train eval {command}"));
}

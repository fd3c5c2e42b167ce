//! A host for cpal that the tests make: devices of any kind, no sound card, no clock.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{
    BufferSize, Data, DeviceDescription, DeviceDescriptionBuilder, DeviceId, Error, ErrorKind, FrameCount, HostId,
    InputCallbackInfo, InputStreamTimestamp, OutputCallbackInfo, OutputStreamTimestamp, Sample, SampleFormat,
    StreamConfig, StreamInstant, SupportedBufferSize, SupportedStreamConfig, SupportedStreamConfigRange,
};
use latentd::device::Devices;

type InputCallback = Box<dyn FnMut(&Data, &InputCallbackInfo) + Send>;
type OutputCallback = Box<dyn FnMut(&mut Data, &OutputCallbackInfo) + Send>;
type ErrorCallback = Box<dyn FnMut(Error) + Send>;

/// A device as the test wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kindness {
    pub rate: u32,
    pub channels: u16,
    pub format: SampleFormat,
}

/// What the open streams gave: the test calls them.
#[derive(Default)]
pub struct Streams {
    pub input: Option<(StreamConfig, InputCallback)>,
    pub output: Option<(StreamConfig, OutputCallback)>,
    pub errors: HashMap<&'static str, ErrorCallback>,
    pub opened: usize,
    pub unplugged: bool,
    /// Why no stream is opened.
    pub refuses: Option<ErrorKind>,
    /// Whether buffers are of the device's own size or none, whatever range it tells.
    pub own_buffers: bool,
}

impl Streams {
    fn allow(&self, config: &StreamConfig) -> Result<(), Error> {
        let fixed = self.own_buffers && config.buffer_size != BufferSize::Default;
        let refused = self.refuses.or(fixed.then_some(ErrorKind::UnsupportedConfig));
        refused.map_or(Ok(()), |kind| Err(Error::new(kind)))
    }
}

#[derive(Clone)]
pub struct FakeHost {
    input: Kindness,
    output: Kindness,
    pub streams: Arc<Mutex<Streams>>,
}

#[derive(Clone)]
pub struct FakeDevice {
    kindness: Kindness,
    input: bool,
    streams: Arc<Mutex<Streams>>,
}

pub struct FakeStream;

thread_local! {
    /// The time, for devices and engine alike; nothing here takes as long as it says.
    pub static NOW: std::cell::Cell<Option<Instant>> = const { std::cell::Cell::new(None) };
}

pub fn clock() -> Instant {
    NOW.get().unwrap_or_else(Instant::now)
}

impl FakeHost {
    pub fn new(input: Kindness, output: Kindness) -> FakeHost {
        FakeHost { input, output, streams: Arc::default() }
    }

    pub fn devices(&self) -> Devices {
        Devices::of(cpal::platform::CustomHost::from_host(self.clone()).into(), clock)
    }

    fn device(&self, input: bool) -> FakeDevice {
        FakeDevice { kindness: if input { self.input } else { self.output }, input, streams: Arc::clone(&self.streams) }
    }

    /// The microphone brings these samples of all channels.
    pub fn hear<T: Sample>(&self, samples: &mut [T], format: SampleFormat) {
        let mut streams = self.streams.lock().unwrap();
        let (_, callback) = streams.input.as_mut().unwrap();
        let data = unsafe { Data::from_parts(samples.as_mut_ptr().cast(), samples.len(), format) };
        let now = StreamInstant::from_millis(1000);
        callback(
            &data,
            &InputCallbackInfo::new(InputStreamTimestamp { callback: now, capture: StreamInstant::from_millis(990) }),
        );
    }

    /// The speaker asks for as many samples.
    pub fn play<T: Sample>(&self, samples: &mut [T], format: SampleFormat) {
        let mut streams = self.streams.lock().unwrap();
        let (_, callback) = streams.output.as_mut().unwrap();
        let mut data = unsafe { Data::from_parts(samples.as_mut_ptr().cast(), samples.len(), format) };
        let now = StreamInstant::from_millis(1000);
        callback(
            &mut data,
            &OutputCallbackInfo::new(OutputStreamTimestamp {
                callback: now,
                playback: StreamInstant::from_millis(1010),
            }),
        );
    }
}

impl HostTrait for FakeHost {
    type Devices = std::vec::IntoIter<FakeDevice>;
    type Device = FakeDevice;

    fn is_available() -> bool {
        true
    }

    fn devices(&self) -> Result<Self::Devices, Error> {
        Ok(vec![self.device(true), self.device(false)].into_iter())
    }

    fn default_input_device(&self) -> Option<FakeDevice> {
        (!self.streams.lock().unwrap().unplugged).then(|| self.device(true))
    }

    fn default_output_device(&self) -> Option<FakeDevice> {
        Some(self.device(false))
    }
}

impl PartialEq for FakeDevice {
    fn eq(&self, other: &Self) -> bool {
        self.input == other.input
    }
}

impl Eq for FakeDevice {}

impl std::hash::Hash for FakeDevice {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.input.hash(state);
    }
}

impl std::fmt::Debug for FakeDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.kindness)
    }
}

impl std::fmt::Display for FakeDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.input { "Fake Microphone" } else { "Fake Speaker" })
    }
}

impl FakeDevice {
    fn ranges(&self, input: bool) -> std::vec::IntoIter<SupportedStreamConfigRange> {
        let Kindness { rate, channels, format } = self.kindness;
        let buffer = SupportedBufferSize::Range { min: 1, max: 1 << 16 };
        let range = SupportedStreamConfigRange::new(channels, rate, rate, buffer, format);
        if input == self.input { vec![range] } else { vec![] }.into_iter()
    }

    /// A stream is opened as the device is.
    fn expect_own(&self, config: &StreamConfig, format: SampleFormat) {
        assert_eq!(Kindness { rate: config.sample_rate, channels: config.channels, format }, self.kindness);
    }

    fn config(&self, input: bool) -> Result<SupportedStreamConfig, Error> {
        let range = self.ranges(input).next().ok_or_else(|| Error::new(ErrorKind::UnsupportedOperation))?;
        Ok(range.with_sample_rate(self.kindness.rate))
    }
}

impl DeviceTrait for FakeDevice {
    type SupportedInputConfigs = std::vec::IntoIter<SupportedStreamConfigRange>;
    type SupportedOutputConfigs = std::vec::IntoIter<SupportedStreamConfigRange>;
    type Stream = FakeStream;

    fn description(&self) -> Result<DeviceDescription, Error> {
        Ok(DeviceDescriptionBuilder::new(self.to_string()).build())
    }

    fn id(&self) -> Result<DeviceId, Error> {
        Ok(DeviceId::new(HostId::Custom, if self.input { "microphone" } else { "speaker" }))
    }

    fn supported_input_configs(&self) -> Result<Self::SupportedInputConfigs, Error> {
        Ok(self.ranges(true))
    }

    fn supported_output_configs(&self) -> Result<Self::SupportedOutputConfigs, Error> {
        Ok(self.ranges(false))
    }

    fn default_input_config(&self) -> Result<SupportedStreamConfig, Error> {
        self.config(true)
    }

    fn default_output_config(&self) -> Result<SupportedStreamConfig, Error> {
        self.config(false)
    }

    fn build_input_stream_raw<D, E>(
        &self,
        config: StreamConfig,
        format: SampleFormat,
        data: D,
        error: E,
        _: Option<Duration>,
    ) -> Result<FakeStream, Error>
    where
        D: FnMut(&Data, &InputCallbackInfo) + Send + 'static,
        E: FnMut(Error) + Send + 'static,
    {
        self.expect_own(&config, format);
        let mut streams = self.streams.lock().unwrap();
        streams.allow(&config)?;
        streams.input = Some((config, Box::new(data)));
        streams.errors.insert("input", Box::new(error));
        streams.opened += 1;
        Ok(FakeStream)
    }

    fn build_output_stream_raw<D, E>(
        &self,
        config: StreamConfig,
        format: SampleFormat,
        data: D,
        error: E,
        _: Option<Duration>,
    ) -> Result<FakeStream, Error>
    where
        D: FnMut(&mut Data, &OutputCallbackInfo) + Send + 'static,
        E: FnMut(Error) + Send + 'static,
    {
        self.expect_own(&config, format);
        let mut streams = self.streams.lock().unwrap();
        streams.allow(&config)?;
        streams.output = Some((config, Box::new(data)));
        streams.errors.insert("output", Box::new(error));
        Ok(FakeStream)
    }
}

impl StreamTrait for FakeStream {
    fn play(&self) -> Result<(), Error> {
        Ok(())
    }

    fn pause(&self) -> Result<(), Error> {
        Ok(())
    }

    fn buffer_size(&self) -> Result<FrameCount, Error> {
        Ok(480)
    }

    fn now(&self) -> StreamInstant {
        StreamInstant::ZERO
    }
}

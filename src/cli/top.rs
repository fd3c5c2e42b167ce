//! `latentd top`: a running daemon at a glance, until `q`.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use ratatui::Frame;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Style, Stylize};
use ratatui::text::Line;
use ratatui::widgets::{Block, Paragraph, Row, Sparkline, Table, TableState};

use super::daemon::{Which, ago, live_line};
use crate::daemon::control::{Client, encode};
use crate::daemon::status::{PipelineStatus, Status, now};
use crate::error::{Error, Kind, Result, show_path, show_paths};

/// How often it is asked.
const PULSE: Duration = Duration::from_millis(500);
/// How many pulses the picture of the past holds.
const PAST: usize = 240;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    which: Which,
}

/// What is shown.
#[derive(Debug, Default)]
struct View {
    status: Status,
    /// Jobs done in each pulse, newest last.
    past: Vec<u64>,
    selected: TableState,
    /// Of a daemon that does not answer, or a command that failed.
    trouble: Option<String>,
}

pub fn run(args: &Args) -> Result<ExitCode> {
    use std::io::IsTerminal;
    let client = args.which.client();
    let mut view = View { status: client.status()?, ..View::default() };
    if !std::io::stdout().is_terminal() {
        return Err(Error::new(Kind::Usage, "`top` needs a terminal").mend("`latentd status --json` is for scripts"));
    }
    view.selected.select(Some(0));
    let mut terminal = ratatui::try_init().map_err(|e| Error::new(Kind::Device, "no terminal").because(e))?;
    let outcome = (|| -> std::io::Result<()> {
        let mut next = Instant::now();
        loop {
            if Instant::now() >= next {
                view.look(&client);
                next = Instant::now() + PULSE;
            }
            terminal.draw(|frame| view.draw(frame))?;
            if !event::poll(next.saturating_duration_since(Instant::now()))? {
                continue;
            }
            match event::read()? {
                Event::Key(key) if key.kind != KeyEventKind::Press => {}
                Event::Key(key) if key.code == KeyCode::Char('c') && key.modifiers == KeyModifiers::CONTROL => {
                    return Ok(());
                }
                Event::Key(key) => match key.code {
                    KeyCode::Char('q') | KeyCode::Esc => return Ok(()),
                    KeyCode::Down | KeyCode::Char('j') => view.selected.select_next(),
                    KeyCode::Up | KeyCode::Char('k') => view.selected.select_previous(),
                    KeyCode::Char('p') => view.pause_or_resume(&client),
                    KeyCode::Char('r') => view.tell(&client, "/v1/reload"),
                    _ => {}
                },
                _ => {}
            }
        }
    })();
    ratatui::restore();
    outcome.map_err(|e| Error::new(Kind::Device, "the terminal fails").because(e))?;
    Ok(ExitCode::SUCCESS)
}

impl View {
    fn look(&mut self, client: &Client) {
        let done = |status: &Status| status.pipelines.iter().map(|p| p.counts.done).sum::<u64>();
        match client.status() {
            Ok(status) => {
                self.past.push(done(&status).saturating_sub(done(&self.status)));
                let surplus = self.past.len().saturating_sub(PAST);
                self.past.drain(..surplus);
                self.status = status;
                self.trouble = None;
            }
            Err(e) => self.trouble = Some(e.to_string()),
        }
    }

    fn tell(&mut self, client: &Client, url: &str) {
        if let Err(e) = client.post(url) {
            self.trouble = Some(e.to_string());
        }
    }

    fn pause_or_resume(&mut self, client: &Client) {
        if let Some(pipeline) = self.selected.selected().and_then(|index| self.status.pipelines.get(index)) {
            let what = if pipeline.state == "paused" { "resume" } else { "pause" };
            self.tell(client, &format!("/v1/pipelines/{}/{what}", encode(&pipeline.name)));
        }
    }

    fn draw(&mut self, frame: &mut Frame) {
        let areas = Layout::vertical([
            Constraint::Length(1),
            Constraint::Length(4),
            Constraint::Min(4),
            Constraint::Length(3),
            Constraint::Length(1),
        ])
        .areas::<5>(frame.area());
        let status = &self.status;
        let (up, memory) = (ago(now().saturating_sub(status.started)), status.memory as f64 / 1e6);
        let state = if status.ready { "ready".green() } else { "not ready".red() };
        let rest = format!(" {}  up {up}  {} threads  {memory:.0} MB  ", status.latentd, status.threads);
        frame.render_widget(Line::from(vec!["latentd".bold(), rest.into(), state]), areas[0]);
        let rate = self.past.iter().rev().take(10).sum::<u64>() as f64 / (PULSE.as_secs_f64() * 10.0);
        let block = Block::bordered().title(format!(" {rate:.1} done a second "));
        let width = usize::from(areas[1].width.saturating_sub(2));
        let recent = &self.past[self.past.len().saturating_sub(width)..];
        frame.render_widget(Sparkline::default().data(recent).block(block).style(Style::new().cyan()), areas[1]);
        let widths = [20, 12, 9, 8, 8, 8, 8, 11].map(Constraint::Length);
        let heads = ["pipeline", "state", "done", "arrive", "wait", "work", "later", "quarantine"];
        let table = Table::new(status.pipelines.iter().map(row), widths)
            .header(Row::new(heads).bold())
            .row_highlight_style(Style::new().reversed())
            .block(Block::bordered());
        frame.render_stateful_widget(table, areas[2], &mut self.selected);
        frame.render_widget(Paragraph::new(self.detail()), areas[3]);
        let keys = "up/down choose   p pause or resume   r reload   q quit";
        let last = self.trouble.as_ref().map_or_else(|| Line::from(keys).dim(), |e| Line::from(e.as_str()).red());
        frame.render_widget(last, areas[4]);
    }

    /// Of the pipeline that is chosen.
    fn detail(&self) -> Vec<Line<'_>> {
        let chosen = self.selected.selected().and_then(|index| self.status.pipelines.get(index));
        let Some(pipeline) = chosen else { return Vec::new() };
        let [source, sink] = [&pipeline.source, &pipeline.sink].map(|path| show_path(path.as_ref()));
        let mut lines = vec![Line::from(format!("{source} -> {sink}"))];
        if let Some(last) = &pipeline.last {
            let ago = ago(now().saturating_sub(last.time));
            let (from, to) = (show_paths(&last.inputs), show_paths(&last.results));
            lines.push(Line::from(format!("{ago} ago: {from} -> {to}")));
        }
        if let Some(live) = &pipeline.live {
            lines.push(Line::from(live_line(live)));
        }
        if let Some(reason) = &pipeline.reason {
            lines.push(Line::from(reason.as_str()).yellow());
        }
        lines
    }
}

fn row(pipeline: &PipelineStatus) -> Row<'_> {
    let PipelineStatus { name, state, queue, counts, .. } = pipeline;
    let state = match state.as_str() {
        "running" => state.as_str().green(),
        "paused" => state.as_str().yellow(),
        _ => state.as_str().red(),
    };
    let numbers = [queue.settling, queue.ready, queue.working, queue.later].map(|n| n.to_string().into());
    let [settling, ready, working, later] = numbers;
    let (done, quarantined) = (counts.done.to_string().into(), counts.quarantined.to_string().into());
    Row::new([name.as_str().into(), state, done, settling, ready, working, later, quarantined])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::status::{Counts, Queue};
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    #[test]
    fn the_view_shows_what_the_status_tells() {
        let pipeline = PipelineStatus {
            name: "photos".into(),
            state: "waiting".into(),
            reason: Some("the disk is full".into()),
            source: "/in".into(),
            sink: "/out".into(),
            queue: Queue { settling: 1, ready: 22, working: 3, later: 4, originals: 0 },
            counts: Counts { done: 555, quarantined: 6, ..Counts::default() },
            ..PipelineStatus::default()
        };
        let voice = PipelineStatus {
            name: "voice".into(),
            state: "running".into(),
            live: Some(serde_json::json!({
                "state": "running", "bypass": true, "latency_ms": 31.25, "xruns": 7, "level_db": [-20.0, -30.0]
            })),
            ..PipelineStatus::default()
        };
        let status = Status { pipelines: vec![pipeline, voice], threads: 2, ..Status::default() };
        let mut view = View { status, past: vec![1, 2, 3], ..View::default() };
        view.selected.select(Some(0));
        let mut terminal = Terminal::new(TestBackend::new(100, 20)).unwrap();
        terminal.draw(|frame| view.draw(frame)).unwrap();
        let text: String = terminal.backend().buffer().content().iter().map(|cell| cell.symbol()).collect();
        for wanted in ["photos", "waiting", "555", "22", "the disk is full", "/in -> /out", "not ready"] {
            assert!(text.contains(wanted), "{wanted} is not in {text}");
        }
        view.selected.select(Some(1));
        terminal.draw(|frame| view.draw(frame)).unwrap();
        let text: String = terminal.backend().buffer().content().iter().map(|cell| cell.symbol()).collect();
        assert!(text.contains("bypassed; 31.2 ms") && text.contains("7 xruns"), "{text}");
        // However small the terminal is.
        let mut terminal = Terminal::new(TestBackend::new(3, 2)).unwrap();
        terminal.draw(|frame| view.draw(frame)).unwrap();
    }
}

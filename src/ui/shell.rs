//! `Shell`: the window as eframe sees it. It takes news, draws, and then dispatches what the
//! panels wished for; nothing else changes the session.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use egui::{Frame, Margin, Panel, Ui};
use nunatak_app::{Command, Session, SessionOptions};
use nunatak_domain::layer::{LayerId, LayerRole};
use nunatak_domain::notice::Notice;

use crate::action::{self, Action, Situation};
use crate::dialogs::Dialogs;
use crate::map::{self, MapState, PinMark};
use crate::palette::Palette;
use crate::panels::{
    self, BandsDialog, ClassesPanel, ExportPanel, FiltersPanel, HealthPanel, HistoryPanel, ImportDialog, IndexDialog,
    InspectorPanel, JudgePanel, LayersPanel, ModelPanel, ReferencesPanel, StatusBar,
};
use crate::projects::Projects;
use crate::sample::{self, Sample};
use crate::saved::{Saved, ThemeChoice, Workspace};
use crate::settings::Settings;
use crate::thumbnails::Thumbnails;
use crate::toasts::Toasts;
use crate::tools::{self, Hand, Picker};
use crate::wishes::Wishes;
use crate::{RunOptions, painter, side, theme};

/// The whole window.
pub struct Shell {
    pub(crate) session: Session,
    pub(crate) map: MapState,
    pub(crate) hand: Hand,
    pub(crate) layers: LayersPanel,
    pub(crate) classes: ClassesPanel,
    pub(crate) filters: FiltersPanel,
    pub(crate) history: HistoryPanel,
    pub(crate) inspector: InspectorPanel,
    pub(crate) references: ReferencesPanel,
    pub(crate) picker: Picker,
    pub(crate) health: HealthPanel,
    pub(crate) import: ImportDialog,
    pub(crate) indices: IndexDialog,
    pub(crate) model: ModelPanel,
    pub(crate) judge: JudgePanel,
    pub(crate) export: ExportPanel,
    pub(crate) status: StatusBar,
    pub(crate) palette: Palette,
    pub(crate) settings: Settings,
    pub(crate) dialogs: Dialogs,
    pub(crate) projects: Projects,
    pub(crate) bands: BandsDialog,
    pub(crate) thumbnails: Thumbnails,
    pub(crate) toasts: Toasts,
    pub(crate) saved: Saved,
    pub(crate) sample: Option<Sample>,
    /// Predict as soon as a raster and a model are open.
    pub(crate) predict_when_ready: bool,
    theme_shown: Option<ThemeChoice>,
    title_shown: String,
    gpu: bool,
}

impl Shell {
    pub fn new(cc: &eframe::CreationContext<'_>, options: RunOptions) -> Self {
        theme::install(&cc.egui_ctx);
        let gpu = cc.wgpu_render_state.as_ref().map(map::install).is_some();
        let ctx = cc.egui_ctx.clone();
        let projects = Projects::new(cc.storage.is_some());
        let session = Session::new(SessionOptions {
            wake: Arc::new(move || ctx.request_repaint()),
            device: options.device,
            painter: Some(Box::new(painter::LazyPainter::default())),
            untitled: projects.folder.clone(),
            ..SessionOptions::default()
        });
        let mut shell = Self {
            session,
            map: MapState::default(),
            hand: Hand::default(),
            layers: LayersPanel::default(),
            classes: ClassesPanel::default(),
            filters: FiltersPanel::default(),
            history: HistoryPanel::default(),
            inspector: InspectorPanel::default(),
            references: ReferencesPanel::default(),
            picker: Picker::default(),
            health: HealthPanel::default(),
            import: ImportDialog::default(),
            indices: IndexDialog::default(),
            model: ModelPanel::default(),
            judge: JudgePanel::default(),
            export: ExportPanel::default(),
            status: StatusBar::default(),
            palette: Palette::default(),
            settings: Settings::default(),
            dialogs: Dialogs::default(),
            projects,
            bands: BandsDialog::default(),
            thumbnails: Thumbnails::new(cc.storage.is_some()),
            toasts: Toasts::default(),
            saved: Saved::load(cc.storage),
            sample: sample::find(),
            predict_when_ready: options.predict,
            theme_shown: None,
            title_shown: String::new(),
            gpu,
        };
        shell.saved.keys.install(&cc.egui_ctx);
        shell.thumbnails.prune(&shell.saved.recent);
        for file in &options.files {
            shell.open(file);
        }
        for command in options.commands {
            shell.dispatch(command);
        }
        shell
    }

    /// For tests and for those who drive the window from outside.
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// Opens a file as what its ending says it is.
    pub(crate) fn open(&mut self, path: &Path) {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
        if Self::is_project(path) {
            self.open_project(path);
            return;
        }
        let path = path.to_owned();
        self.dispatch(match ending.as_str() {
            "pth" | "pt" | "safetensors" => Command::OpenModel { path },
            "csv" => Command::OpenReferences { path },
            _ => Command::OpenScene { path },
        });
    }

    /// The one place where commands enter the session.
    pub(crate) fn dispatch(&mut self, command: Command) {
        self.accepts(command);
    }

    /// Dispatches; false where the session refused, which has been said then.
    pub(crate) fn accepts(&mut self, command: Command) -> bool {
        let answer = self.session.dispatch(command);
        let accepted = answer.is_ok();
        match answer {
            Ok(events) => events.into_iter().for_each(|event| self.arrived(event)),
            Err(error) => self.toasts.push(Notice::error(error.to_string())),
        }
        accepted
    }

    pub(crate) fn situation(&self) -> Situation {
        use nunatak_domain::style::Style;
        let session = &self.session;
        let layer = self.meant_layer().and_then(|id| session.layer(id));
        Situation {
            layers: !session.layers().is_empty(),
            layer: layer.is_some(),
            savable: !session.layers().is_empty() || session.project_file().is_some(),
            project: session.project_file().is_some(),
            missing: !session.missing_scenes().is_empty(),
            labels: !session.project().labels.is_empty(),
            classes: !session.project().classes.classes.is_empty(),
            class_map: layer.is_some_and(|layer| layer.role == LayerRole::ClassMap),
            bands: layer.is_some_and(|layer| {
                let several = session.scene(layer.source.scene()).is_some_and(|scene| scene.info.n_bands() > 1);
                several && !layer.source.computed() && !matches!(layer.style, Style::Classes { .. })
            }),
            colormap: layer.is_some_and(|layer| matches!(layer.style, Style::Colormap { .. })),
            scene: panels::target_scene(session, self.map.chosen).is_some(),
            model: session.model().is_some(),
            model_references: session.model().is_some_and(|model| model.record.references.is_some()),
            references: !session.references().references.is_empty(),
            prior: session.prior().is_ok(),
            painted: session.references().enabled().next().is_some()
                && session.references().enabled().all(|reference| reference.sample.is_some()),
            pins: !self.inspector.pins.is_empty(),
            cursor: self.map.cursor.is_some(),
            job: !session.jobs().is_empty(),
            undo: self.hand.busy()
                || self.picker.busy()
                || session.drawing()
                || session.history().undo_title().is_some(),
            redo: session.history().redo_title().is_some(),
            sample: self.sample.is_some(),
            back: self.map.camera.can_go_back(),
            forward: self.map.camera.can_go_forward(),
        }
    }

    /// The layer that actions without one mean: the chosen one, else the only imagery there is.
    pub(crate) fn meant_layer(&self) -> Option<LayerId> {
        let chosen = self.map.chosen.filter(|id| self.session.layer(*id).is_some());
        let top = || self.session.layers().iter().rev().find(|layer| layer.visible).map(|layer| layer.id);
        chosen.or_else(top).or_else(|| self.session.layers().last().map(|layer| layer.id))
    }

    /// What the window is about: the raster that is meant, or the result made of one.
    pub(crate) fn title(&self) -> String {
        if let Some(project) = self.session.project_file() {
            let name = if project.untitled { "Untitled project" } else { &project.name };
            let dot = if project.untitled || self.session.unsaved_steps() { " •" } else { "" };
            let read_only = if project.read_only { " (read-only)" } else { "" };
            return format!("{name}{read_only}{dot}");
        }
        let layer = self.meant_layer().and_then(|id| self.session.layer(id));
        let Some(layer) = layer else { return "Nunatak".to_owned() };
        let scene = self.session.scene(layer.source.scene());
        let own = scene.filter(|scene| layer.role == LayerRole::Imagery && !self.session.keeps(&scene.info.path));
        own.map_or_else(|| layer.name.clone(), |scene| scene.info.name())
    }

    /// Folder that exports are proposed in: that of the last one, else the scene's own.
    pub(crate) fn export_folder(&self) -> PathBuf {
        let scene = panels::target_scene(&self.session, self.map.chosen).and_then(|id| self.session.scene(id));
        let path = scene.and_then(|scene| std::path::absolute(&scene.info.path).ok());
        let path = path.filter(|path| !path.to_string_lossy().starts_with("/vsi"));
        let beside = path.as_deref().and_then(Path::parent).map(Path::to_owned);
        let current = std::env::current_dir().ok().filter(|folder| folder.parent().is_some());
        self.saved.export_dir.clone().or(beside).or(current).or_else(std::env::home_dir).unwrap_or_default()
    }

    fn chrome(&mut self, ui: &mut Ui, now: &Situation, wishes: &mut Wishes) {
        let palette = theme::of(ui);
        let bar = Frame::new().fill(palette.bar).inner_margin(Margin::symmetric(8, 0));
        let title = self.title();
        Panel::top("top bar").exact_size(theme::TOP_BAR).resizable(false).frame(bar).show(ui, |ui| {
            panels::top_bar_ui(ui, &self.session, &title, &mut self.saved, now, wishes);
        });
        Panel::bottom("status bar").exact_size(theme::STATUS_BAR).resizable(false).frame(bar).show(ui, |ui| {
            let Self { session, status, map, toasts, .. } = self;
            panels::status_ui(ui, session, status, map, toasts, now, wishes);
        });
        if now.layers {
            let rail = Frame::new().fill(palette.bar).inner_margin(Margin::symmetric(8, 8));
            Panel::left("tools").exact_size(theme::RAIL).resizable(false).frame(rail).show(ui, |ui| {
                panels::tools_ui(ui, &self.session, &self.map, &mut self.hand, now, wishes);
            });
        }
        if self.saved.side_panel && (now.layers || now.model) {
            let frame = Frame::new().fill(palette.panel);
            let panel = Panel::right("side").default_size(theme::SIDE).min_size(theme::SIDE_MIN).max_size(640.0);
            panel.frame(frame).show(ui, |ui| side::side_ui(ui, self, now, wishes));
        }
    }

    fn map_area(&mut self, ui: &mut Ui, now: &Situation, wishes: &mut Wishes) -> egui::Rect {
        let rect = ui.available_rect_before_wrap();
        if !now.layers {
            let mut open = Vec::new();
            let mut page = map::StartPage {
                recent: &self.saved.recent,
                thumbnails: &mut self.thumbnails,
                unsaved: &mut self.projects.unsaved,
                open: &mut open,
            };
            map::start_ui(ui, rect, &mut page, now, wishes);
            open.iter().for_each(|path| self.open(path));
            return rect;
        }
        let marks: Vec<PinMark> = self
            .inspector
            .pins
            .iter()
            .enumerate()
            .map(|(i, pin)| PinMark { geo: pin.geo, color: pin.color, number: i + 1 })
            .collect();
        let explaining = self.saved.side_panel && self.saved.workspace == Workspace::Explain;
        self.map.box_explains = explaining && now.model && now.scene;
        let response = map::interact(ui, rect, &mut self.session, &mut self.map);
        self.arrive(ui.input(|input| input.time));
        self.paint(ui, rect, &response);
        map::draw(ui, rect, &response, &mut self.session, &mut self.map, &marks, self.gpu);
        self.inspector.cursor_on_map = response.contains_pointer();
        let quiet = self.map.boxing() || ui.input(|input| input.key_down(egui::Key::Space));
        let painter = ui.painter_at(rect);
        let Self { session, map, hand, saved, picker, .. } = self;
        tools::picked(&painter, rect, session, map, picker);
        tools::preview(&painter, rect, session, map, hand, &saved.tools, quiet);
        tools::strip(ui, rect, session, map, hand, &mut saved.tools);
        self.take_pin(ui.input(|input| input.time));
        if std::mem::take(&mut self.map.fit_pressed) {
            wishes.actions.push(Action::FitLayer);
        }
        if let Some(bounds) = self.map.explain_box.take() {
            self.explain_box(&bounds);
        }
        rect
    }

    fn floating(&mut self, ui: &Ui, map: egui::Rect, now: &Situation, wishes: &mut Wishes) {
        let ctx = ui.ctx().clone();
        if let Some(chosen) = self.palette.show(&ctx, now) {
            wishes.actions.push(chosen);
        }
        if let Some(answer) = self.dialogs.show(&ctx) {
            self.answered(answer);
        }
        self.projects_ui(&ctx);
        if let Some(scene) = self.bands.show(&ctx, &self.session) {
            self.predict(scene);
        }
        self.settings.show(&ctx, &mut self.saved);
        if let Some(command) = self.indices.show(&ctx, &self.session) {
            wishes.commands.push(command);
        }
        let target = panels::target_scene(&self.session, self.map.chosen);
        if let Some(command) = self.import.show(&ctx, &self.session, target) {
            wishes.commands.push(command);
        }
        if let Some(pressed) = self.toasts.show(&ctx, map) {
            self.toast_pressed(pressed, &ctx);
        }
        drop_hint(ui);
    }

    fn show_theme(&mut self, ctx: &egui::Context) {
        if self.theme_shown == Some(self.saved.theme) {
            return;
        }
        self.theme_shown = Some(self.saved.theme);
        ctx.set_theme(match self.saved.theme {
            ThemeChoice::System => egui::ThemePreference::System,
            ThemeChoice::Dark => egui::ThemePreference::Dark,
            ThemeChoice::Light => egui::ThemePreference::Light,
        });
    }

    fn show_title(&mut self, ctx: &egui::Context) {
        let title = self.title();
        let title = if self.session.layers().is_empty() { title } else { format!("{title} – Nunatak") };
        if title != self.title_shown {
            ctx.send_viewport_cmd(egui::ViewportCommand::Title(title.clone()));
            self.title_shown = title;
        }
    }
}

impl eframe::App for Shell {
    fn logic(&mut self, ctx: &egui::Context, _frame: &mut eframe::Frame) {
        for event in self.session.poll() {
            self.arrived(event);
        }
        for answer in self.dialogs.poll() {
            self.answered(answer);
        }
        self.predict_if_ready();
        let dropped: Vec<PathBuf> =
            ctx.input(|input| input.raw.dropped_files.iter().map(|file| file.path().to_owned()).collect());
        dropped.iter().for_each(|path| self.open(path));
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        self.show_theme(ui.ctx());
        self.show_title(ui.ctx());
        let now = self.situation();
        let mut wishes = Wishes::default();
        if !self.dialogs.prompting()
            && !self.bands.asking()
            && !self.indices.asking()
            && !self.import.asking()
            && !self.projects.asking()
            && !self.palette.open
            && !self.settings.open
        {
            wishes.actions = action::pressed(ui.ctx(), &now);
            self.class_keys(ui.ctx());
        } else if self.palette.open {
            let palette = crate::keymap::shortcut(ui.ctx(), crate::action::Action::Palette.info());
            if palette.is_some_and(|keys| ui.input_mut(|input| input.consume_shortcut(&keys))) {
                self.palette.toggle();
            }
        }
        self.chrome(ui, &now, &mut wishes);
        let map = self.map_area(ui, &now, &mut wishes);
        self.floating(ui, map, &now, &mut wishes);
        self.stop_job_on_escape(ui.ctx());
        self.fulfil(wishes, ui.ctx());
    }

    fn save(&mut self, storage: &mut dyn eframe::Storage) {
        self.saved.store(storage);
    }
}

/// While a file hovers over the window.
fn drop_hint(ui: &Ui) {
    if ui.input(|input| input.raw.hovered_files.is_empty()) {
        return;
    }
    let palette = theme::of(ui);
    let layer = egui::LayerId::new(egui::Order::Foreground, egui::Id::unique("drop hint"));
    let painter = ui.ctx().layer_painter(layer);
    let rect = ui.ctx().content_rect();
    painter.rect_filled(rect, 0.0, palette.float.gamma_multiply(0.85));
    let inside = rect.shrink(24.0);
    painter.rect_stroke(inside, 12.0, egui::Stroke::new(2.0, palette.accent), egui::StrokeKind::Inside);
    let text = "Drop to open";
    painter.text(rect.center(), egui::Align2::CENTER_CENTER, text, theme::strong_font(20.0), palette.strong);
}

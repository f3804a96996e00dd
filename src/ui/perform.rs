//! What actions, answers of dialogs and buttons of toasts do.

use nunatak_app::Command;
use nunatak_domain::colormap::ColormapName;
use nunatak_domain::geo::{GeoBounds, GeoPos};
use nunatak_domain::job::{ClassifyMethod, DeviceChoice};
use nunatak_domain::layer::{Layer, SceneId};
use nunatak_domain::notice::Notice;
use nunatak_domain::style::{Stretch, StretchMethod, Style};

use crate::action::Action;
use crate::dialogs::{Answer, Ask, Purpose};
use crate::map::{self, Tool};
use crate::panels;
use crate::saved::{ThemeChoice, Workspace};
use crate::shell::Shell;
use crate::toasts::ToastAction;
use crate::tools::{self, PaintTool};
use crate::wishes::Wishes;

impl Shell {
    /// Does all that panels and keys asked for in this frame.
    pub(crate) fn fulfil(&mut self, wishes: Wishes, ctx: &egui::Context) {
        // What changes now is seen in the next frame, and a key alone brings none.
        if !wishes.actions.is_empty() || !wishes.commands.is_empty() {
            ctx.request_repaint();
        }
        for action in wishes.actions {
            if action.enabled(&self.situation()) {
                self.perform(action, ctx);
            }
        }
        wishes.notices.into_iter().for_each(|notice| self.toasts.push(notice));
        wishes.dialogs.into_iter().for_each(|ask| self.dialogs.ask(ctx, ask));
        if let Some(layer) = wishes.export {
            self.show_export(Some(layer));
        }
        if let Some(geo) = wishes.explain {
            self.explain_pixel(geo);
        }
        if let Some(bounds) = wishes.look_at {
            let now = ctx.input(|input| input.time);
            if bounds.width() > 0.0 || bounds.height() > 0.0 {
                self.map.camera.glide_fit(bounds, now);
            } else {
                self.map.camera.glide_to_center(bounds.center(), now);
            }
        }
        if let Some(edit) = wishes.preview
            && let Ok(events) = self.session.preview_reference(edit)
        {
            events.into_iter().for_each(|event| self.arrived(event));
        }
        if let Some((target, erase)) = wishes.pick {
            self.pick_into(target, erase);
        }
        // What follows a refused command may rely on it.
        let _ = wishes.commands.into_iter().all(|command| self.accepts(command));
    }

    fn perform(&mut self, action: Action, ctx: &egui::Context) {
        match action {
            Action::OpenRaster => self.ask(ctx, Purpose::OpenRaster, None, false),
            Action::OpenAddress => self.ask(ctx, Purpose::OpenRaster, None, true),
            Action::OpenModel => self.ask(ctx, Purpose::OpenModel, None, false),
            Action::OpenReferences => self.ask(ctx, Purpose::OpenReferences, None, false),
            Action::SaveReferences => self.ask(ctx, Purpose::SaveReferences, Some("references.csv"), false),
            Action::SavePicture => self.ask(ctx, Purpose::SavePicture, Some("view.png"), false),
            Action::ExportModel => self.ask(ctx, Purpose::ExportModel, Some("model.safetensors"), false),
            Action::TrySample => self.try_sample(),
            Action::OpenProject => self.ask(ctx, Purpose::OpenProject, None, false),
            Action::SaveProject => self.save_project(ctx, false),
            Action::SaveProjectAs => self.save_project(ctx, true),
            Action::Versions => self.dispatch(Command::ListVersions),
            Action::RelinkScenes => self.ask(ctx, Purpose::RelinkScenes, None, false),
            Action::PackProject => {
                let name = self.session.project_file().map_or_else(|| "project".to_owned(), |project| project.name);
                self.ask(ctx, Purpose::PackProject, Some(&format!("{name}.nunatak.zip")), false);
            }
            Action::CloseProject => self.dispatch(Command::CloseProject),
            Action::ImportLabels => self.ask(ctx, Purpose::ImportLabels, None, false),
            Action::ExportLabels => self.ask(ctx, Purpose::ExportLabels, Some("labels.tif"), false),
            Action::LabelsFromMap => {
                if let Some(scene) = self.meant_scene() {
                    self.dispatch(Command::LabelsFromScene { scene, onto: None });
                }
            }
            Action::ImportClasses => self.ask(ctx, Purpose::ImportClasses, None, false),
            Action::ExportClasses => self.ask(ctx, Purpose::ExportClasses, Some("classes.csv"), false),
            Action::Predict => {
                if let Some(scene) = panels::target_scene(&self.session, self.map.chosen) {
                    self.predict(scene);
                }
            }
            Action::ChooseBands => {
                if let Some(scene) = panels::target_scene(&self.session, self.map.chosen) {
                    self.bands.ask(&self.session, scene);
                }
            }
            Action::Export => self.show_export(None),
            Action::Pan => self.map.tool = Tool::Pan,
            Action::BoxZoom => self.map.tool = Tool::BoxZoom,
            Action::Inspect => self.map.tool = Tool::Inspect,
            Action::Swipe => map::toggle_swipe(&self.session, &mut self.map),
            Action::Brush => self.take_tool(PaintTool::Brush),
            Action::Eraser => self.take_tool(PaintTool::Eraser),
            Action::Polygon => self.take_tool(PaintTool::Polygon),
            Action::Rectangle => self.take_tool(PaintTool::Rectangle),
            Action::Lasso => self.take_tool(PaintTool::Lasso),
            Action::Line => self.take_tool(PaintTool::Line),
            Action::Fill => self.take_tool(PaintTool::Fill),
            Action::Wand => self.take_tool(PaintTool::Wand),
            Action::Superpixel => self.take_tool(PaintTool::Superpixel),
            Action::SizeDown => self.saved.tools.smaller(),
            Action::SizeUp => self.saved.tools.larger(),
            Action::SwapClasses => self.hand.swap(&self.session.project().classes),
            Action::NewClass => self.add_class(),
            Action::NewLabels => {
                if let Some(aim) = tools::aim(&self.session, self.map.chosen) {
                    self.dispatch(Command::AddLabels { scene: aim.scene, name: None });
                    self.map.chosen = self.session.layers().last().map(|layer| layer.id);
                }
            }
            Action::Undo => {
                if !self.drop_gesture() {
                    self.dispatch(Command::Undo);
                }
            }
            Action::Redo => {
                self.drop_gesture();
                self.dispatch(Command::Redo);
            }
            Action::NextBand => self.step_bands(1),
            Action::PreviousBand => self.step_bands(-1),
            Action::NextColormap => self.next_colormap(),
            Action::RemoveLayer => {
                if let Some(layer) = self.meant_layer().and_then(|id| self.session.layer(id)) {
                    self.dispatch(panels::remove_command(layer));
                }
            }
            Action::ShowPrior => {
                if let Some(scene) = panels::target_scene(&self.session, self.map.chosen) {
                    self.dispatch(Command::ShowPrior { scene });
                }
            }
            Action::ShowAngles => self.show_classes(ClassifyMethod::Sam),
            Action::ShowDistances => self.show_classes(ClassifyMethod::MinDistance),
            Action::ShowLikelihoods => self.show_classes(ClassifyMethod::MaxLikelihood),
            Action::ImportSpectra => self.ask(ctx, Purpose::ImportSpectra, None, false),
            Action::PickSpectrum => self.pick_into(self.picker.target, false),
            Action::AddIndex => {
                if let Some(scene) = panels::target_scene(&self.session, self.map.chosen) {
                    self.indices.ask(scene);
                }
            }
            Action::UseModelReferences => self.dispatch(Command::UseModelReferences),
            Action::ClearPins => self.inspector.pins.clear(),
            Action::CopyCoordinates => {
                if let Some(geo) = self.map.cursor {
                    ctx.copy_text(format!("{:.2} {:.2}", geo.x, geo.y));
                    self.toasts.push(Notice::info("Coordinates copied"));
                }
            }
            Action::CancelJob => self.stop_job(),
            Action::Palette => self.palette.toggle(),
            Action::SidePanel => self.saved.side_panel = !self.saved.side_panel,
            Action::Look => self.show_workspace(Workspace::Look),
            Action::Annotate => self.show_workspace(Workspace::Annotate),
            Action::Explain => self.show_workspace(Workspace::Explain),
            Action::Judge => self.show_workspace(Workspace::Judge),
            Action::Settings => self.settings.open = true,
            Action::ThemeSystem => self.saved.theme = ThemeChoice::System,
            Action::ThemeDark => self.saved.theme = ThemeChoice::Dark,
            Action::ThemeLight => self.saved.theme = ThemeChoice::Light,
            Action::DeviceAuto => self.dispatch(Command::SetDevice { device: DeviceChoice::Auto }),
            Action::DeviceCpu => self.dispatch(Command::SetDevice { device: DeviceChoice::Cpu }),
            Action::DeviceGpu => self.dispatch(Command::SetDevice { device: DeviceChoice::Gpu(None) }),
            Action::FullScreen => {
                let full = ctx.input(|input| input.viewport().fullscreen.unwrap_or(false));
                ctx.send_viewport_cmd(egui::ViewportCommand::Fullscreen(!full));
            }
            Action::Quit => ctx.send_viewport_cmd(egui::ViewportCommand::Close),
            Action::Fit
            | Action::FitLayer
            | Action::OneToOne
            | Action::ZoomIn
            | Action::ZoomOut
            | Action::ViewBack
            | Action::ViewForward => self.move_camera(action, ctx.input(|input| input.time)),
        }
    }

    fn show_classes(&mut self, method: ClassifyMethod) {
        if let Some(scene) = panels::target_scene(&self.session, self.map.chosen) {
            self.dispatch(Command::ShowClasses { scene, method });
        }
    }

    /// Predicts, once it is known which bands the model is to read.
    pub(crate) fn predict(&mut self, scene: SceneId) {
        let bands = self.bands.chosen(&self.session, scene);
        let misfit = self.session.scene(scene).zip(self.session.model());
        let misfit = misfit.is_some_and(|(scene, model)| panels::misfit(&scene.info, &model.record).is_some());
        if bands.is_none() && misfit {
            self.bands.ask(&self.session, scene);
            return;
        }
        self.dispatch(Command::PredictLayer { scene, class: self.model.class, bands });
    }

    /// Grad-CAM of the class that the model gives the pixel here.
    fn explain_pixel(&mut self, geo: GeoPos) {
        let Some(scene) = panels::target_scene(&self.session, self.map.chosen) else { return };
        let Some(pixel) = self.session.scene_pixel(scene, geo) else {
            self.toasts.push(Notice::warning("the pin lies outside of the scene that would be explained"));
            return;
        };
        let bands = self.bands.chosen(&self.session, scene);
        self.dispatch(Command::ExplainLayer { scene, class: None, window: None, pixel: Some(pixel), bands });
    }

    /// Grad-CAM of a part of the scene.
    pub(crate) fn explain_box(&mut self, bounds: &GeoBounds) {
        let Some(scene) = panels::target_scene(&self.session, self.map.chosen) else { return };
        let window = self.session.scene_window(scene, bounds);
        if window.is_none() {
            self.toasts.push(Notice::warning("the rectangle lies outside of the scene that would be explained"));
            return;
        }
        let bands = self.bands.chosen(&self.session, scene);
        self.dispatch(Command::ExplainLayer { scene, class: self.model.class, window, pixel: None, bands });
    }

    fn move_camera(&mut self, action: Action, now: f64) {
        let layer = self.meant_layer();
        let camera = &mut self.map.camera;
        match action {
            Action::Fit => {
                if let Some(bounds) = self.session.bounds() {
                    camera.glide_fit(bounds, now);
                }
            }
            Action::FitLayer => {
                if let Some(bounds) = layer.and_then(|layer| self.session.layer_bounds(layer)) {
                    camera.glide_fit(bounds, now);
                }
            }
            Action::OneToOne => {
                if let Some(size) = layer.and_then(|layer| self.session.layer_pixel_size(layer)) {
                    camera.set_scale(size, now);
                }
            }
            Action::ZoomIn => camera.glide_zoom(2.0, None, now),
            Action::ZoomOut => camera.glide_zoom(0.5, None, now),
            Action::ViewBack => camera.back(now),
            Action::ViewForward => camera.forward(now),
            _ => {}
        }
    }

    fn ask(&mut self, ctx: &egui::Context, purpose: Purpose, name: Option<&str>, typed: bool) {
        let save_as = name.map(|name| self.export_folder().join(name));
        self.dialogs.ask(ctx, Ask { purpose, save_as, typed });
    }

    /// A person chose paths.
    pub(crate) fn answered(&mut self, answer: Answer) {
        let overwrite = answer.overwrite;
        for path in answer.paths {
            match answer.purpose {
                Purpose::OpenRaster => self.open(&path),
                Purpose::OpenModel => self.dispatch(Command::OpenModel { path }),
                Purpose::OpenReferences => self.dispatch(Command::OpenReferences { path }),
                Purpose::ImportSpectra => self.dispatch(Command::OpenSpectra { path }),
                Purpose::SaveReferences => self.dispatch(Command::SaveReferences { path, overwrite }),
                Purpose::ExportModel => self.dispatch(Command::ExportModel { path, overwrite }),
                Purpose::SavePicture => {
                    let view = *self.map.camera.view();
                    self.dispatch(panels::view_picture(&self.session, &view, self.map.swipe, path, overwrite));
                }
                Purpose::OpenProject => self.open_project(&path),
                Purpose::SaveProject => self.save_project_as(path, overwrite),
                Purpose::RelinkScenes => self.dispatch(Command::RelinkScenes { folder: path }),
                Purpose::PackProject => {
                    self.dispatch(Command::PackProject { out: path, with_scenes: false, overwrite });
                }
                Purpose::ImportLabels => self.import_labels(path),
                Purpose::ExportLabels => self.export_labels(path, overwrite),
                Purpose::ImportClasses => {
                    self.dispatch(Command::ImportClasses { from: nunatak_app::ClassSource::Path(path), field: None });
                }
                Purpose::ExportClasses => self.dispatch(Command::ExportClasses { path, overwrite }),
                Purpose::JudgeTruth => {
                    self.judge.file = path.to_string_lossy().into_owned();
                    self.judge.from_file = true;
                }
                Purpose::JudgePage => {
                    self.dispatch(Command::SaveJudgement { html: Some(path), csv: None, overwrite });
                }
                Purpose::JudgeTable => {
                    self.dispatch(Command::SaveJudgement { html: None, csv: Some(path), overwrite });
                }
                Purpose::ExportPath => {
                    self.export.path = path.to_string_lossy().into_owned();
                    self.export.path_chosen = true;
                    self.export.overwrite = overwrite;
                }
            }
        }
    }

    pub(crate) fn toast_pressed(&mut self, pressed: ToastAction, ctx: &egui::Context) {
        match pressed {
            ToastAction::Export => self.show_export(None),
            ToastAction::ShowFolder(folder) => {
                let folder = folder.canonicalize().unwrap_or(folder);
                ctx.open_url(egui::OpenUrl::new_tab(format!("file://{}", folder.display())));
            }
        }
    }

    fn show_workspace(&mut self, workspace: Workspace) {
        self.saved.workspace = workspace;
        self.saved.side_panel = true;
    }

    fn show_export(&mut self, layer: Option<nunatak_domain::layer::LayerId>) {
        self.show_workspace(Workspace::Export);
        self.export.turn_to(&self.session, layer);
    }

    fn try_sample(&mut self) {
        let Some(sample) = self.sample.clone() else { return };
        self.predict_when_ready = true;
        self.dispatch(Command::OpenScene { path: sample.scene });
        self.dispatch(Command::OpenModel { path: sample.model });
    }

    /// Esc stops the oldest job, else ends the swipe, where nothing else wanted the key.
    pub(crate) fn stop_job_on_escape(&mut self, ctx: &egui::Context) {
        let free =
            !self.dialogs.prompting() && !self.bands.asking() && !ctx.text_edit_focused() && !ctx.any_popup_open();
        if free && ctx.input_mut(|input| input.consume_key(egui::Modifiers::NONE, egui::Key::Escape)) {
            if self.session.jobs().is_empty() {
                self.map.swipe = None;
            } else {
                self.stop_job();
            }
        }
    }

    fn stop_job(&mut self) {
        if let Some(job) = self.session.jobs().first().map(|job| job.job) {
            self.dispatch(Command::CancelJob { job });
        }
    }

    fn step_bands(&mut self, step: isize) {
        let Some(layer) = self.meant_layer().and_then(|id| self.session.layer(id)).cloned() else { return };
        let Some(scene) = self.session.scene(layer.source.scene()) else { return };
        let n = scene.info.n_bands() as isize;
        let stretch =
            |band: usize, method| Stretch::from_statistics(scene.info.bands[band].statistics.as_ref(), method);
        let stepped = |band: usize| (band as isize + step).rem_euclid(n) as usize;
        let mut style = layer.style.clone();
        let (method, missing) = match &mut style {
            Style::Rgb { bands, stretch: stretches, method } => {
                *bands = bands.map(stepped);
                *stretches = bands.map(|band| stretch(band, *method));
                (*method, bands.iter().any(|band| scene.info.bands[*band].statistics.is_none()))
            }
            Style::Colormap { band, stretch: one, method, .. } => {
                *band = stepped(*band);
                *one = stretch(*band, *method);
                (*method, scene.info.bands[*band].statistics.is_none())
            }
            Style::Classes { .. } => return,
        };
        let id = layer.id;
        self.dispatch(Command::SetStyle { layer: id, style });
        if missing {
            let method = if method == StretchMethod::Manual { StretchMethod::PERCENT_2_98 } else { method };
            self.dispatch(Command::Stretch { layer: id, method, extent: nunatak_app::StretchExtent::Whole });
        }
    }

    fn next_colormap(&mut self) {
        let Some(Layer { id, style, .. }) = self.meant_layer().and_then(|id| self.session.layer(id)).cloned() else {
            return;
        };
        if let Style::Colormap { band, stretch, method, colormap } = style {
            let at = ColormapName::ALL.iter().position(|name| *name == colormap).unwrap_or(0);
            let colormap = ColormapName::ALL[(at + 1) % ColormapName::ALL.len()];
            self.dispatch(Command::SetStyle { layer: id, style: Style::Colormap { band, stretch, method, colormap } });
        }
    }
}

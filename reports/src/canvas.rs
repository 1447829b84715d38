//! What all figures share: colours, type, axes, legends; an SVG and, from it, a PNG.
//!
//! The drawing library writes whole coordinates, so everything is drawn at twice its size: a figure
//! that is meant to be 1100 pixels wide has 2200 units, and half a pixel can be told.

use crate::ReportError;
use crate::axis::Axis;
use epaint_default_fonts::UBUNTU_LIGHT;
use plotters::chart::ChartContext;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::register_font;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use resvg::{tiny_skia, usvg};
use std::sync::{Arc, Once, OnceLock};

/// Units of the drawing to a pixel of the page.
const SCALE: i32 = 2;
/// Width of every figure, in pixels of the page.
pub(crate) const WIDTH: i32 = 1100;

/// Room for a figure's title, in pixels.
const TITLE: i32 = 26;
/// Room around a figure, in pixels.
pub(crate) const EDGE: i32 = 6;

/// Behind everything. The page's style sheet knows these five by value, and changes them in the dark.
pub(crate) const PAPER: RGBColor = RGBColor(0xFF, 0xFF, 0xFF);
/// Titles and lines that matter.
pub(crate) const INK: RGBColor = RGBColor(0x1F, 0x23, 0x28);
/// Names of ticks, notes.
pub(crate) const MUTED: RGBColor = RGBColor(0x59, 0x63, 0x6E);
/// Lines of the grid.
pub(crate) const GRID: RGBColor = RGBColor(0xE4, 0xE7, 0xEB);
/// Limits of the SLO.
pub(crate) const ALERT: RGBColor = RGBColor(0xB0, 0x45, 0x2A);

/// One colour a stack, in order. Okabe and Ito, "Color Universal Design" (2008), without the yellow,
/// which is lost on white: told apart with every common kind of colour blindness.
pub(crate) const STACKS: [RGBColor; 7] = [
    RGBColor(0x00, 0x72, 0xB2),
    RGBColor(0xE6, 0x9F, 0x00),
    RGBColor(0x00, 0x9E, 0x73),
    RGBColor(0xD5, 0x5E, 0x00),
    RGBColor(0xCC, 0x79, 0xA7),
    RGBColor(0x56, 0xB4, 0xE9),
    RGBColor(0x6B, 0x6B, 0x6B),
];

/// The colour of a stack, the same in every figure and table.
pub(crate) fn stack_colour(index: usize) -> RGBColor {
    STACKS[index % STACKS.len()]
}

/// A colour as CSS writes it.
pub(crate) fn css(colour: RGBColor) -> String {
    format!("#{:02X}{:02X}{:02X}", colour.0, colour.1, colour.2)
}

/// A part of a figure to draw on.
pub(crate) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// A panel with axes.
pub(crate) type Panel<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Axis, Axis>>;
/// What drawing gives: nothing, or what the library said.
pub(crate) type Drawn<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// Pixels of the page in units of the drawing.
pub(crate) const fn px(pixels: i32) -> i32 {
    pixels * SCALE
}

/// Draws a figure whose content has a height in pixels, under a title if it has one, and gives its
/// SVG.
pub(crate) fn draw(
    heading: Option<&str>,
    height: i32,
    paint: impl FnOnce(&Area<'_>) -> Drawn,
) -> Drawn<String> {
    register_fonts();
    let mut svg = String::new();
    {
        let height = height + 2 * EDGE + if heading.is_some() { TITLE } else { 0 };
        let size = (px(WIDTH).unsigned_abs(), px(height).unsigned_abs());
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        area.fill(&PAPER)?;
        let inside = area.margin(px(EDGE), px(EDGE), px(EDGE), px(EDGE));
        match heading {
            Some(heading) => paint(&title(&inside, heading)?)?,
            None => paint(&inside)?,
        }
        area.present()?;
    }
    Ok(svg)
}

/// The drawing library measures text with the font that the PNG is set in.
fn register_fonts() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An unreadable font would only make measures rough, and a test draws every figure.
        let _ = register_font("sans-serif", FontStyle::Normal, UBUNTU_LIGHT);
    });
}

/// The one font that PNGs are set in: no font of the machine takes part, so all give the same bytes.
fn fonts() -> Arc<usvg::fontdb::Database> {
    static FONTS: OnceLock<Arc<usvg::fontdb::Database>> = OnceLock::new();
    let load = || {
        let mut fonts = usvg::fontdb::Database::new();
        fonts.load_font_data(UBUNTU_LIGHT.to_vec());
        let family = fonts.faces().flat_map(|face| &face.families).next();
        let family = family.map(|(name, _)| name.clone());
        fonts.set_sans_serif_family(family.unwrap_or_default());
        Arc::new(fonts)
    };
    FONTS.get_or_init(load).clone()
}

/// A PNG of an SVG that [`draw`] gave, at twice the page's size.
pub(crate) fn rasterise(name: &str, svg: &str) -> Result<Vec<u8>, ReportError> {
    let fault = |problem: String| ReportError::Figure { figure: name.to_owned(), problem };
    let options = usvg::Options { fontdb: fonts(), ..usvg::Options::default() };
    let tree = usvg::Tree::from_str(svg, &options).map_err(|error| fault(error.to_string()))?;
    let size = tree.size().to_int_size();
    let mut pixels = tiny_skia::Pixmap::new(size.width(), size.height())
        .ok_or_else(|| fault("has no size".to_owned()))?;
    resvg::render(&tree, tiny_skia::Transform::identity(), &mut pixels.as_mut());
    pixels.encode_png().map_err(|error| fault(error.to_string()))
}

/// Type of a size in pixels.
pub(crate) fn type_of(pixels: i32, colour: RGBColor) -> TextStyle<'static> {
    // The SVG backend divides by 1.24, the ratio of a line to its type.
    let size = f64::from(px(pixels)) * 1.24;
    ("sans-serif", size).into_font().color(&colour)
}

/// Type of a size in pixels that stands at its place so.
pub(crate) fn type_at(pixels: i32, colour: RGBColor, h: HPos, v: VPos) -> TextStyle<'static> {
    type_of(pixels, colour).pos(Pos::new(h, v))
}

/// The width of a text of a size in pixels, in units of the drawing.
pub(crate) fn width_of(area: &Area<'_>, text: &str, pixels: i32) -> Drawn<i32> {
    let (width, _) = area.estimate_text_size(text, &type_of(pixels, INK))?;
    Ok(i32::try_from(width)?)
}

/// A text cut to a width in units of the drawing, with an ellipsis where it was cut.
pub(crate) fn fitted(area: &Area<'_>, text: &str, pixels: i32, room: i32) -> Drawn<String> {
    if width_of(area, text, pixels)? <= room {
        return Ok(text.to_owned());
    }
    let mut kept = text.to_owned();
    while kept.pop().is_some() {
        let cut = format!("{kept}…");
        if width_of(area, &cut, pixels)? <= room {
            return Ok(cut);
        }
    }
    Ok(String::new())
}

/// The figure's title, top left; gives what is left below it.
fn title<'a>(area: &Area<'a>, text: &str) -> Drawn<Area<'a>> {
    let room = area.dim_in_pixel().0.cast_signed();
    let text = fitted(area, text, 15, room)?;
    area.draw(&Text::new(text, (0, px(2)), type_of(15, INK)))?;
    let (_, below) = area.split_vertically(px(TITLE));
    Ok(below)
}

/// A stack's name in ink behind a square of its colour, cut to `room` units; it starts at a place
/// (`HPos::Left`) or ends there (`HPos::Right`), its middle at the place's height.
pub(crate) fn stack_name(
    area: &Area<'_>,
    (name, colour): (&str, RGBColor),
    pixels: i32,
    (x, y): (i32, i32),
    side: HPos,
    room: i32,
) -> Drawn {
    const SQUARE: i32 = px(12);
    const GAP: i32 = px(7);
    let name = fitted(area, name, pixels, room - SQUARE - GAP)?;
    let length = SQUARE + GAP + width_of(area, &name, pixels)?;
    let left = if matches!(side, HPos::Right) { x - length } else { x };
    let corners = [(left, y - SQUARE / 2), (left + SQUARE, y + SQUARE / 2)];
    area.draw(&Rectangle::new(corners, colour.filled()))?;
    let style = type_at(pixels, INK, HPos::Left, VPos::Center);
    area.draw(&Text::new(name, (left + SQUARE + GAP, y), style))?;
    Ok(())
}

/// How a legend shows what it names.
#[derive(Clone, Copy)]
pub(crate) enum Swatch {
    /// A filled square.
    Fill(RGBColor, f64),
    /// A line.
    Line(RGBColor),
}

/// A row of names, as many rows as they need; gives what is left below them.
pub(crate) fn legend<'a>(area: &Area<'a>, names: &[(String, Swatch)]) -> Drawn<Area<'a>> {
    const ROW: i32 = px(20);
    let room = area.dim_in_pixel().0.cast_signed();
    let (mut x, mut y) = (0, 0);
    for (name, swatch) in names {
        let name = fitted(area, name, 12, room - px(22))?;
        let width = px(22) + width_of(area, &name, 12)? + px(18);
        if x > 0 && x + width > room {
            (x, y) = (0, y + ROW);
        }
        let middle = y + px(8);
        match *swatch {
            Swatch::Fill(colour, alpha) => {
                let corners = [(x, middle - px(5)), (x + px(14), middle + px(5))];
                area.draw(&Rectangle::new(corners, colour.mix(alpha).filled()))?;
            }
            Swatch::Line(colour) => {
                let ends = [(x, middle), (x + px(14), middle)];
                area.draw(&PathElement::new(ends, colour.stroke_width(px(2).unsigned_abs())))?;
            }
        }
        let style = type_at(12, INK, HPos::Left, VPos::Center);
        area.draw(&Text::new(name, (x + px(20), middle), style))?;
        x += width;
    }
    let (_, below) = area.split_vertically(y + ROW + px(6));
    Ok(below)
}

/// Room beside a panel for names of ticks and titles of axes, in pixels.
#[derive(Clone, Copy)]
pub(crate) struct Margins {
    /// Left of the panel.
    pub(crate) left: i32,
    /// Below the panel.
    pub(crate) below: i32,
    /// Right of the panel.
    pub(crate) right: i32,
}

impl Default for Margins {
    fn default() -> Self {
        Self { left: 62, below: 40, right: 18 }
    }
}

/// A panel with a grid, named ticks and titled axes. `below: 0` leaves the x axis unnamed, for
/// panels that stand above one that names it.
pub(crate) fn panel<'a, 'b>(
    area: &'a Area<'b>,
    x: &Axis,
    y: &Axis,
    margins: Margins,
) -> Drawn<Panel<'a, 'b>> {
    let mut panel = ChartBuilder::on(area)
        .margin_top(px(8))
        .margin_right(px(margins.right))
        .margin_bottom(px(4))
        .x_label_area_size(px(margins.below))
        .y_label_area_size(px(margins.left))
        .build_cartesian_2d(x.clone(), y.clone())?;
    let mut mesh = panel.configure_mesh();
    mesh.bold_line_style(GRID.stroke_width(px(1).unsigned_abs()))
        .light_line_style(TRANSPARENT)
        .axis_style(MUTED.mix(0.6).stroke_width(px(1).unsigned_abs()))
        .label_style(type_of(12, MUTED))
        .axis_desc_style(type_of(12, INK))
        .y_desc(&y.title);
    if margins.below > 0 {
        mesh.x_desc(&x.title);
    }
    mesh.draw()?;
    Ok(panel)
}

/// Where a point of a panel stands in the area that holds it.
pub(crate) fn spot(area: &Area<'_>, panel: &Panel<'_, '_>, place: (f64, f64)) -> (i32, i32) {
    let (left, top) = area.get_base_pixel();
    let (x, y) = panel.backend_coord(&place);
    (x - left, y - top)
}

/// A sentence in the middle of a panel that has nothing to show.
pub(crate) fn nothing(area: &Area<'_>, why: &str) -> Drawn {
    let (width, height) = area.dim_in_pixel();
    let middle = (width.cast_signed() / 2, height.cast_signed() / 2);
    area.draw(&Text::new(why.to_owned(), middle, type_at(13, MUTED, HPos::Center, VPos::Center)))?;
    Ok(())
}

package dev.usher.benchmarks;

import dev.usher.benchmarks.Section.Bars;
import dev.usher.benchmarks.Section.Line;
import dev.usher.benchmarks.Section.Lines;
import dev.usher.benchmarks.Section.Point;
import java.awt.Color;
import java.awt.Font;
import java.awt.font.FontRenderContext;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.BitmapEncoder.BitmapFormat;
import org.knowm.xchart.CategoryChart;
import org.knowm.xchart.CategoryChartBuilder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.internal.chartpart.Chart;
import org.knowm.xchart.style.Styler;
import org.knowm.xchart.style.Styler.LegendPosition;

/** Draws the pictures of a report, as PNG. */
final class Pictures {

    private static final int WIDTH = 860;
    private static final int HEIGHT = 520;
    private static final int LABEL_ANGLE = 90;
    private static final Color USHER = new Color(0x1f, 0x6f, 0xb4);

    private Pictures() {}

    /** Whether this machine has a font for text in pictures. */
    static boolean canBeDrawn() {
        System.setProperty("java.awt.headless", "true");
        try {
            Font font = new Font(Font.SANS_SERIF, Font.PLAIN, 12);
            return font.getStringBounds("usher", new FontRenderContext(null, true, true))
                            .getWidth()
                    > 0;
        } catch (Error | RuntimeException e) {
            // Without a font a JDK throws InternalError, NoClassDefFoundError or NullPointerException, depending on its
            // version.
            return false;
        }
    }

    /**
     * Draws bars or lines.
     *
     * @throws IOException if the file cannot be written
     */
    static void draw(Section.Part part, Path file) throws IOException {
        if (part instanceof Bars bars) {
            save(chart(bars), file);
        } else if (part instanceof Lines lines) {
            save(chart(lines), file);
        } else {
            throw new IllegalArgumentException("not a picture: " + part);
        }
    }

    private static CategoryChart chart(Bars bars) {
        CategoryChart chart = new CategoryChartBuilder()
                .width(WIDTH)
                .height(HEIGHT)
                .title(bars.title())
                .yAxisTitle(bars.unit())
                .build();
        // Zero has no bar: a logarithmic axis has no zero.
        List<Point> points =
                bars.points().stream().filter(point -> point.value() > 0).toList();
        double highest = points.stream().mapToDouble(Point::value).max().orElse(1);
        double lowest = points.stream().mapToDouble(Point::value).min().orElse(1);
        chart.getStyler().setLegendVisible(false);
        chart.getStyler().setXAxisLabelRotation(LABEL_ANGLE);
        if (highest / lowest > 100) {
            // On a linear axis, a bar a hundred times shorter than another would not be visible.
            chart.getStyler().setYAxisLogarithmic(true).setYAxisMin(lowest / 2);
        }
        chart.getStyler().setSeriesColors(new Color[] {USHER});
        plain(chart.getStyler());
        chart.addSeries(
                bars.unit(),
                points.stream().map(Point::label).toList(),
                points.stream().map(Point::value).toList());
        return chart;
    }

    private static XYChart chart(Lines lines) {
        XYChart chart = new XYChartBuilder()
                .width(WIDTH)
                .height(HEIGHT)
                .title(lines.title())
                .xAxisTitle(lines.x())
                .yAxisTitle(lines.y())
                .build();
        chart.getStyler().setXAxisLogarithmic(true).setYAxisLogarithmic(true);
        chart.getStyler().setLegendPosition(LegendPosition.OutsideE);
        plain(chart.getStyler());
        for (Line line : lines.lines()) {
            chart.addSeries(line.label(), line.x(), line.y());
        }
        return chart;
    }

    private static void plain(Styler styler) {
        styler.setChartBackgroundColor(Color.WHITE).setPlotBorderVisible(false);
    }

    private static void save(Chart<?, ?> chart, Path file) throws IOException {
        BitmapEncoder.saveBitmap(chart, file.toString(), BitmapFormat.PNG);
    }
}

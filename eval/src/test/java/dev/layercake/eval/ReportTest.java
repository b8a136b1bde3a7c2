package dev.layercake.eval;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SequencedMap;
import java.util.Set;
import javax.imageio.ImageIO;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.xml.sax.InputSource;
import tools.jackson.databind.JsonNode;

final class ReportTest {
    private static final String ODD = "cake(gamma=0,order=official)";

    @Test
    void tablesCountWhatWasRight() {
        Summary summary = summary();
        assertThat(summary.columns()).containsExactly("512", "1024");
        assertThat(summary.rows())
                .extracting(Summary.Row::label)
                .containsExactly("full", ODD + " at 3.2%", ODD + " at 50%");
        Summary.Row small = summary.rows().get(1);
        assertThat(small.all()).isEqualTo(new Summary.Tally(8, 4, 0.5, false, ShareInterval.of(4, 8)));
        assertThat(small.window()).isEqualTo("8");
        assertThat(small.memoryShare()).isEqualTo(0.25);
        List<String> lines = Table.lines(summary);
        assertThat(lines).hasSize(4);
        assertThat(lines.getFirst()).startsWith("policy").contains("window", "512  1024", "95 %");
        assertThat(lines.get(2)).contains("3.2%", "50%", "22-78", "8");
    }

    @Test
    void othersAreComparedWithFullOnTheSameQuestions() {
        Summary summary = summary();
        assertThat(summary.baseline()).isEqualTo("full");
        assertThat(summary.rows().getFirst().difference()).isNull();
        Summary.Difference small = Objects.requireNonNull(summary.rows().get(1).difference());
        assertThat(small.mean()).isEqualTo(-0.5);
        assertThat(small.samples()).isEqualTo(8);
        assertThat(small.interval().low()).isBetween(-0.9, -0.7);
        assertThat(small.isSure()).isTrue();
        assertThat(Table.lines(summary).get(2)).contains("-50%").endsWith("*");
        assertThat(summary.doubt()).isEmpty();
        ShareInterval worse = new ShareInterval(-1, -1);
        assertThat(new Summary.Difference(-1, worse, 5).isSure()).isFalse();
        assertThat(new Summary.Difference(-1, worse, 6).isSure()).isTrue();
    }

    @Test
    void whereTheFullCacheFailsThereIsDoubt() {
        Evaluation tasks = new Evaluation("tasks", List.of(), new LinkedHashMap<>(), Evaluation.View.table("length"));
        List<Outcome> wrong = List.of(
                ResultsFileTest.Samples.outcome("a", "full", "", 0, "4821", ResultsFileTest.Samples.labels("1", "0%")));
        assertThat(Summary.of(tasks, new LinkedHashMap<>(), wrong).doubt())
                .hasValueSatisfying(doubt -> assertThat(doubt).contains("0%"));
    }

    @Test
    void gradedTasksCountTheSame() {
        Evaluation graded = new Evaluation("suite", List.of(), new LinkedHashMap<>(), Evaluation.View.scores("length"));
        List<Outcome> outcomes = new ArrayList<>();
        for (int index = 0; index < 3; index++) {
            outcomes.add(ResultsFileTest.Samples.outcome(
                    "a" + index, "full", "", 1, "x", ResultsFileTest.Samples.labels("1", "0%")));
        }
        outcomes.add(
                ResultsFileTest.Samples.outcome("b", "full", "", 0, "x", ResultsFileTest.Samples.labels("2", "0%")));
        Summary summary = Summary.of(graded, new LinkedHashMap<>(), outcomes);
        assertThat(summary.rows().getFirst().all().accuracy()).isEqualTo(0.5);
        assertThat(Table.lines(summary).getFirst()).contains("mean");
    }

    @Test
    void anOlderReportGoesAndResultsStay(@TempDir Path folder) throws IOException {
        Report.write(summary(), folder);
        Files.writeString(folder.resolve("results.jsonl"), "");
        Report.remove(folder);
        try (var files = Files.list(folder)) {
            assertThat(files).containsExactly(folder.resolve("results.jsonl"));
        }
    }

    @Test
    void csvHasALinePerCell() {
        List<String> lines = Table.csv(summary()).lines().toList();
        assertThat(lines.getFirst()).isEqualTo("policy,budget,length,depth,samples,correct,accuracy,low,high,score");
        assertThat(lines).hasSize(1 + 3 * 4);
        assertThat(lines).contains("\"" + ODD + "\",3.2%,1024,100%,2,1,0.5000,0.0945,0.9055,0.5000");
        assertThat(Table.csv(summary())).endsWith("\r\n");
    }

    @Test
    void jsonHasRowsAndCells() {
        JsonNode json = Json.MAPPER.readTree(Table.json(summary()));
        assertThat(json.get("evaluation").stringValue()).isEqualTo("needle");
        assertThat(json.get("setup").get("model").stringValue()).isEqualTo("tiny <&\"> model");
        assertThat(json.get("rows")).hasSize(3);
        assertThat(json.get("cells")).hasSize(12);
        JsonNode counts = json.get("rows").get(1).get("counts");
        assertThat(counts.get("samples").intValue()).isEqualTo(8);
        assertThat(counts.get("accuracy").doubleValue()).isEqualTo(0.5);
        assertThat(counts.get("low").doubleValue()).isBetween(0.2, 0.25);
        assertThat(json.get("cells").get(0).get("labels").get("length").stringValue())
                .isEqualTo("1024");
    }

    @Test
    void thePageNeedsNothingElse(@TempDir Path folder) throws Exception {
        Report.write(summary(), folder);
        String page = Files.readString(folder.resolve("report.html"));
        requireSelfContained(page);
        assertThat(page)
                .contains("prefers-color-scheme: dark", "@media print", ODD + " at 3.2%", "tiny &lt;&amp;&quot;");
        assertThat(page.split("<svg", -1)).hasSizeGreaterThan(6);
    }

    static void requireSelfContained(String page) throws Exception {
        assertThat(page)
                .startsWith("<!DOCTYPE html>\n")
                .doesNotContain("<script", "<link", "src=", "href=", "url(", "@import", "javascript:");
        assertThat(page.replace("http://www.w3.org/1999/xhtml", "").replace("http://www.w3.org/2000/svg", ""))
                .doesNotContain("http:", "https:", "//");
        DocumentBuilderFactory.newInstance()
                .newDocumentBuilder()
                .parse(new InputSource(new StringReader(page.substring(page.indexOf('\n') + 1))));
    }

    @Test
    void thereIsAPicturePerPolicy(@TempDir Path folder) throws IOException {
        List<Path> written = Report.write(summary(), folder);
        assertThat(written)
                .extracting(file -> String.valueOf(file.getFileName()))
                .containsExactly(
                        "report.html",
                        "summary.csv",
                        "summary.json",
                        "heatmap-full.png",
                        "heatmap-cake-gamma-0-order-official.png");
        BufferedImage image = ImageIO.read(written.getLast().toFile());
        assertThat(image.getWidth()).isGreaterThan(500);
        Set<Integer> colours = new HashSet<>();
        for (int y = 0; y < image.getHeight(); y++) {
            for (int x = 0; x < image.getWidth(); x++) {
                colours.add(image.getRGB(x, y));
            }
        }
        assertThat(colours)
                .contains(
                        HeatColour.of(0).getRGB(),
                        HeatColour.of(0.5).getRGB(),
                        HeatColour.of(1).getRGB())
                .hasSizeLessThan(16);
    }

    @Test
    void withoutHeatMapLabelsThereAreNone(@TempDir Path folder) {
        Summary summary = summary();
        Evaluation tasks = new Evaluation("tasks", List.of(), new LinkedHashMap<>(), Evaluation.View.table("length"));
        Summary other = Summary.of(tasks, summary.setup(), outcomes());
        assertThat(Report.write(other, folder)).hasSize(3);
    }

    @Test
    void darkerIsMore() {
        double before = 1000;
        for (int percent = 0; percent <= 100; percent += 5) {
            var colour = HeatColour.of(percent / 100.0);
            double light = 0.2126 * colour.getRed() + 0.7152 * colour.getGreen() + 0.0722 * colour.getBlue();
            assertThat(light).isLessThan(before);
            before = light;
        }
        assertThat(HeatColour.hex(HeatColour.of(0))).isEqualTo("#fff6e0");
    }

    @Test
    void markupIsWellFormedWhateverIsPutIn() {
        Markup markup = new Markup()
                .open("p", "title", "\"<&>")
                .text("a < b & \u0000\u0007\ud800 c")
                .close();
        assertThat(markup).hasToString("<p title=\"&quot;&lt;&amp;&gt;\">a &lt; b &amp; \ufffd\ufffd\ufffd c</p>\n");
        assertThatThrownBy(() -> new Markup().open("p").toString()).isInstanceOf(IllegalStateException.class);
    }

    private static Summary summary() {
        Evaluation needle = new Evaluation(
                "needle", List.of(), new LinkedHashMap<>(), new Evaluation.View("length", "length", "depth", false));
        SequencedMap<String, String> setup = new LinkedHashMap<>(Map.of("model", "tiny <&\"> model"));
        return Summary.of(needle, setup, outcomes());
    }

    /** Full is always right, the small budget every other time, half of the cells of the large one are wrong. */
    private static List<Outcome> outcomes() {
        List<Outcome> outcomes = new ArrayList<>();
        for (String length : List.of("1024", "512")) {
            for (String depth : List.of("0%", "100%")) {
                for (int index = 0; index < 2; index++) {
                    String id = length + depth + index;
                    var labels = ResultsFileTest.Samples.labels(length, depth);
                    outcomes.add(ResultsFileTest.Samples.outcome(id, "full", "", 1, "4821", labels));
                    outcomes.add(ResultsFileTest.Samples.outcome(id, ODD, "3.2%", index, "<b>&\"", labels));
                    outcomes.add(ResultsFileTest.Samples.outcome(
                            id, ODD, "50%", depth.equals("0%") ? 0 : 1, "\u0001", labels));
                }
            }
        }
        return outcomes;
    }
}

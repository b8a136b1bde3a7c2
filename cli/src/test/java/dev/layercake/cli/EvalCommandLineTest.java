package dev.layercake.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Evaluations and the demo as a person meets them. */
final class EvalCommandLineTest {
    private static final String CRUMB = Path.of(System.getProperty("layercake.root", ".."), "models", "crumb")
            .toString();

    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path folder;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    @ParameterizedTest
    @ValueSource(strings = {"needle", "tasks", "perplexity"})
    void everyEvaluationHasHelp(String verb) {
        assertThat(run("eval", verb, "--help")).isZero();
        assertThat(text(out)).contains("Usage: layercake eval " + verb, "--budgets");
        assertThat(text(out).lines()).allMatch(line -> line.length() <= 100);
    }

    @Test
    void profileMeasuresOnceAndPoliciesUseIt() throws IOException {
        String file = folder.resolve("a profile.json").toString();
        String[] command = {
            "profile",
            "-m",
            CRUMB,
            "--out",
            file,
            "--prompts",
            "2",
            "--tokens",
            "160",
            "--budget",
            "12",
            "--held-out",
            "1"
        };
        assertThat(run(command)).as(text(err)).isZero();
        assertThat(text(out)).contains("by layer and KV head", "Budget 12, snapkv", "with equal budgets");
        assertThat(text(err)).contains("2 texts of 160 tokens", "Wrote " + file);
        byte[] written = Files.readAllBytes(Path.of(file));
        assertThat(run(command)).isZero();
        assertThat(Files.readAllBytes(Path.of(file))).isEqualTo(written);
        String spec = "baklava(profile=\"" + file + "\",budget=40)";
        assertThat(run("run", "-m", CRUMB, "-p", "Where is the fox?", "-n", "4", "--kv", spec))
                .as(text(err))
                .isZero();
        assertThat(text(err)).contains("baklava(profile=\"" + file + "\",budget=40,tokens=snapkv");
        assertThat(run(
                        "eval",
                        "tasks",
                        "-m",
                        CRUMB,
                        "--families",
                        "needle",
                        "--lengths",
                        "160",
                        "--samples",
                        "1",
                        "--out",
                        folder.resolve("e").toString(),
                        "--budgets",
                        "12",
                        "--kv",
                        "snapkv + ada baklava(profile=\"" + file + "\")"))
                .as(text(err))
                .isZero();
        assertThat(text(out)).contains("snapkv+ada", "baklava(profile=\"" + file + "\")");
        assertThat(run("profile", "-m", CRUMB, "--out", file, "--measure", "duo", "--budget", "3"))
                .isEqualTo(2);
        assertThat(text(err)).contains("--budget means nothing with --measure duo");
        out.reset();
        assertThat(run("profile", "--help")).isZero();
        assertThat(text(out).lines()).allMatch(line -> line.length() <= 100);
    }

    @Test
    void evalAloneSaysWhatItCan() {
        assertThat(run("eval")).isZero();
        assertThat(text(out)).contains("needle", "tasks", "perplexity");
    }

    @Test
    void needleMeasuresAndGoesOn() throws IOException {
        String[] command = needle("--samples", "1");
        assertThat(run(command)).as(text(err)).isZero();
        assertThat(text(out)).contains("policy", "streaming", "10%", "window", "full");
        assertThat(text(err)).contains("crumb: needle, 4 questions", "8 answers", "report.html");
        try (Stream<Path> files = Files.list(folder)) {
            assertThat(files.map(file -> String.valueOf(file.getFileName())))
                    .contains(
                            "results.jsonl",
                            "setup.json",
                            "report.html",
                            "summary.csv",
                            "summary.json",
                            "heatmap-full.png",
                            "heatmap-streaming.png");
        }
        List<String> lines = Files.readAllLines(folder.resolve("results.jsonl"));
        assertThat(lines).hasSize(8);
        JsonNode summary = json(needle("--samples", "2", "--json"));
        assertThat(Files.readAllLines(folder.resolve("results.jsonl")))
                .hasSize(16)
                .startsWith(lines.toArray(String[]::new));
        assertThat(summary.get("setup").get("model").stringValue()).isEqualTo("crumb");
        assertThat(summary.get("rows").get(0).get("counts").get("samples").intValue())
                .isEqualTo(8);
        refused("seed was 1 and is now 2", needle("--samples", "1", "--seed", "2"));
        refused("compress was prompt and is now context", needle("--samples", "1", "--compress", "context"));
    }

    private String[] needle(String... more) {
        List<String> command = new java.util.ArrayList<>(List.of(
                "eval",
                "needle",
                "-m",
                CRUMB,
                "-t",
                "2",
                "--lengths",
                "160,200",
                "--depths",
                "2",
                "--kv",
                "full streaming",
                "--budgets",
                "10%",
                "--out",
                folder.toString()));
        command.addAll(List.of(more));
        return command.toArray(String[]::new);
    }

    @Test
    void questionsWhoseAnswerLiesInAWindowCanBeLeftOut() {
        String[] command = {
            "eval",
            "needle",
            "-m",
            CRUMB,
            "-t",
            "2",
            "--lengths",
            "256",
            "--depths",
            "2",
            "--samples",
            "1",
            "--kv",
            "random(window=32)",
            "--budgets",
            "64",
            "--out",
            folder.toString()
        };
        assertThat(run(command)).as(text(err)).isZero();
        assertThat(text(out)).contains("in window");
        out.reset();
        String[] skipping = Arrays.copyOf(command, command.length + 1);
        skipping[command.length] = "--skip-in-window";
        assertThat(run(skipping)).as(text(err)).isZero();
        assertThat(text(err)).contains("Left out: 1 of 2 questions", "1 other answers");
        assertThat(text(out)).doesNotContain("in window");
    }

    @Test
    void perplexityIsMeasuredAgainstFull() throws IOException {
        String[] command = {
            "eval",
            "perplexity",
            "-m",
            CRUMB,
            "-t",
            "2",
            "--tokens",
            "150",
            "--next",
            "8",
            "--excerpts",
            "2",
            "--kv",
            "streaming",
            "--budgets",
            "10%",
            "--out",
            folder.toString()
        };
        assertThat(run(command)).as(text(err)).isZero();
        assertThat(text(out)).contains("|d|", "1-2", "7-8", "full", "streaming", "10%");
        assertThat(text(err)).contains("2 excerpts of 150 tokens, then 8", "summary.csv");
        assertThat(Files.readAllLines(folder.resolve("results.jsonl"))).hasSize(4);
        String[] asJson = Arrays.copyOf(command, command.length + 1);
        asJson[command.length] = "--json";
        JsonNode rows = json(asJson).get("rows");
        assertThat(Files.readAllLines(folder.resolve("results.jsonl"))).hasSize(4);
        assertThat(rows.get(0).get("difference").get("mean").doubleValue()).isZero();
        assertThat(rows.get(1).get("difference").get("mean").doubleValue()).isPositive();
        refused("do not fit the context", "eval", "perplexity", "-m", CRUMB, "--tokens", "1000000");
        refused("at least 1", "eval", "perplexity", "-m", CRUMB, "--next", "0");
        refused(
                "--text",
                "eval",
                "perplexity",
                "-m",
                CRUMB,
                "--text",
                folder.resolve("none").toString());
    }

    @Test
    void tasksAreMeasuredByFamily() {
        JsonNode summary = json(
                "eval",
                "tasks",
                "-m",
                CRUMB,
                "-t",
                "2",
                "--lengths",
                "400",
                "--samples",
                "1",
                "--kv",
                "full",
                "--families",
                "lookup,hops",
                "--question",
                "before",
                "--phrasings",
                "new",
                "--out",
                folder.toString(),
                "--json");
        assertThat(summary.get("evaluation").stringValue()).isEqualTo("tasks");
        assertThat(summary.get("cells")).hasSize(2);
        assertThat(summary.get("cells").get(1).get("labels").get("family").stringValue())
                .isEqualTo("hops");
        assertThat(summary.get("setup").get("question").stringValue()).isEqualTo("before");
    }

    @Test
    void wrongOptionsAreRefusedInOneSentence() {
        refused("--depths", "eval", "needle", "-m", CRUMB, "--depths", "0,101");
        refused("--depths", "eval", "needle", "-m", CRUMB, "--depths", "2.5");
        refused("--lengths 1000000", "eval", "needle", "-m", CRUMB, "--lengths", "1000000");
        refused("'much'", "eval", "needle", "-m", CRUMB, "--budgets", "much");
        refused("did you mean cake", "eval", "needle", "-m", CRUMB, "--kv", "cak");
        refused("no family 'poetry'", "eval", "tasks", "-m", CRUMB, "--families", "poetry");
        refused("--question cannot be", "eval", "tasks", "-m", CRUMB, "--question", "never");
        refused("no scoring", "eval", "tasks", "-m", CRUMB, "--scoring", "kind");
        refused("--haystack", "eval", "needle", "-m", CRUMB, "--haystack", folder.toString());
    }

    @Test
    void theDemoIsHonest() throws IOException {
        Path page = folder.resolve("demo.html");
        JsonNode report = json(
                "demo",
                "-m",
                CRUMB,
                "-t",
                "2",
                "--tokens",
                "300",
                "--questions",
                "2",
                "--kv",
                "full",
                "--kv",
                "streaming",
                "--budgets",
                "10%,50%",
                "--html",
                page.toString(),
                "--json");
        assertThat(report.get("model").stringValue()).isEqualTo("crumb");
        assertThat(report.get("answers")).hasSize(2 * 2 + 2);
        for (JsonNode answer : report.get("answers")) {
            String given = answer.get("run").get("text").stringValue().strip();
            assertThat(answer.get("right").booleanValue())
                    .isEqualTo(given.equals(answer.get("expected").stringValue()));
        }
        assertThat(Files.readString(page)).contains("Where in the text the kept entries lie", "</html>");
    }

    @Test
    void theDemoShowsColumns() {
        assertThat(run("demo", "-m", CRUMB, "-t", "2", "--tokens", "300", "--questions", "1", "--budgets", "10%,20%"))
                .isZero();
        assertThat(text(out))
                .contains(
                        "full",
                        "streaming at 10%",
                        "snapkv at 10%",
                        "cake at 10%",
                        "KV memory",
                        "first token",
                        "layer 0")
                .containsPattern("at 20% .*of 1 .*of 1 .*of 1");
        refused("does not fit the context", "demo", "-m", CRUMB, "--tokens", "1000000");
    }

    private void refused(String words, String... arguments) {
        err.reset();
        assertThat(run(arguments)).as(String.join(" ", arguments)).isEqualTo(2);
        assertThat(text(err)).contains(words).doesNotContain("\tat ");
        assertThat(text(err).lines().filter(line -> line.startsWith("layercake: ")))
                .hasSize(1);
    }

    private JsonNode json(String... arguments) {
        out.reset();
        assertThat(run(arguments)).as(text(err)).isZero();
        return JsonMapper.shared().readTree(text(out));
    }

    private int run(String... arguments) {
        Console console = new Console(
                new ByteArrayInputStream(new byte[0]),
                new PrintStream(out, true, StandardCharsets.UTF_8),
                new PrintStream(err, true, StandardCharsets.UTF_8),
                0);
        return LayercakeCommand.execute(console, Map.of(), arguments);
    }

    private static String text(ByteArrayOutputStream stream) {
        return stream.toString(StandardCharsets.UTF_8);
    }
}

package dev.layercake.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The command as a person or a script meets it: arguments in, two streams and an exit code out. */
final class CommandLineTest {
    private static final String CRUMB = Path.of(System.getProperty("layercake.root", ".."), "models", "crumb")
            .toString();
    private static final String FACT = "The code of Marlow is 4821. Rain fell on the harbour, and nobody came.";
    private static final String QUESTION = "What is the code of Marlow?";

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    @Test
    void withoutArgumentsItSaysWhatItCan() {
        assertThat(run()).isZero();
        assertThat(out()).contains("demo", "run", "chat", "inspect", "tokenize", "policies", "eval", "bench");
    }

    @ParameterizedTest
    @ValueSource(strings = {"demo", "run", "chat", "inspect", "tokenize", "policies", "eval", "bench"})
    void everyVerbHasHelp(String verb) {
        assertThat(run(verb, "--help")).isZero();
        assertThat(out()).contains("Usage: layercake " + verb);
        assertThat(out().lines()).allMatch(line -> line.length() <= 100);
    }

    @Test
    void theVersionIsPrinted() {
        assertThat(run("--version")).isZero();
        assertThat(out()).startsWith("layercake ");
    }

    @Test
    void wrongUsageIsExitCodeTwoAndOneSentence() {
        refused(2, "no-such-verb", "no-such-verb");
        refused(2, "--no-such-option", "run", "--no-such-option");
        refused(2, "abc", "run", "-n", "abc", "-p", "x");
        refused(2, "did you mean cake", "run", "--kv", "cak", "-p", "x");
        refused(2, "Temperature", "run", "--temp", "-1", "-p", "x");
        refused(2, "exclude each other", "run", "--raw", "--chat", "-p", "x");
        refused(2, "no model at", "run", "-m", "no/such/model", "-p", "x");
        refused(2, "--quantize cannot be 'q9'", "run", "-m", CRUMB, "--quantize", "q9", "-p", "x");
        refused(2, "-ctk cannot be 'q4_0'", "run", "-m", CRUMB, "-ctk", "q4_0", "-p", "x");
        refused(2, "--kv-memory cannot be 'much'", "run", "-m", CRUMB, "--kv-memory", "much", "-p", "x");
        refused(2, "prompt is empty", "run", "-m", CRUMB);
        refused(2, "no shape 'huge'", "bench", "--shape", "huge");
        refused(2, "--shape and -m exclude", "bench", "--shape", "tiny", "-m", CRUMB);
        refused(2, "--questions", "demo", "-m", CRUMB, "--questions", "9");
        refused(2, "made for texts of up to 2,048 tokens", "run", "-m", CRUMB, "-c", "200000", "-p", "x");
        refused(2, "--beyond-context", "inspect", "-m", CRUMB, "-c", "2049");
    }

    @Test
    void whatCannotBeDoneIsExitCodeOneAndOneSentence(@TempDir Path folder) throws IOException {
        refused(1, "context is ", "run", "-m", CRUMB, "-n", "1000000", "-p", FACT);
        refused(1, "KV memory", "run", "-m", CRUMB, "--kv-memory", "100k", "-p", FACT);
        Path damaged = Files.writeString(folder.resolve("damaged.gguf"), "GGUF? no.");
        refused(1, "damaged", "run", "-m", damaged.toString(), "-p", "x");
    }

    @Test
    void aContextBeyondTheModelsIsToldBeforeTheAnswer() {
        assertThat(run(
                        "run",
                        "-m",
                        CRUMB,
                        "-t",
                        "1",
                        "-n",
                        "8",
                        "-c",
                        "4096",
                        "--beyond-context",
                        "-p",
                        FACT + " " + QUESTION))
                .isZero();
        assertThat(out().strip()).isEqualTo("4821");
        assertThat(err()).contains("note: the model was made for texts of up to 2,048 tokens");
    }

    @Test
    void whatNoModelHasIsRefusedByInspectToo(@TempDir Path folder) throws IOException {
        Files.createSymbolicLink(
                folder.resolve("model.safetensors"),
                Path.of(CRUMB, "model.safetensors").toAbsolutePath().normalize());
        String config = Files.readString(Path.of(CRUMB, "config.json"));
        Path changed = folder.resolve("config.json");
        Files.writeString(changed, config.replaceFirst("\"num_key_value_heads\": 2", "\"num_key_value_heads\": 0"));
        refused(1, "num_key_value_heads", "inspect", "-m", folder.toString());
        Files.writeString(changed, config.replaceFirst("\"rope_theta\": [0-9.]+", "\"rope_theta\": 1e300"));
        refused(1, "rope_theta", "inspect", "-m", folder.toString());
    }

    @Test
    void anOutputThatTakesNoMoreIsAFailure() {
        OutputStream full = new OutputStream() {
            @Override
            public void write(int ignored) throws IOException {
                throw new IOException("No space left on device");
            }
        };
        for (String[] arguments : new String[][] {
            {"policies"},
            {"inspect", "-m", CRUMB, "--json"},
            {"run", "-m", CRUMB, "-t", "1", "-n", "8", "-p", FACT + " " + QUESTION}
        }) {
            err.reset();
            Console console = new Console(
                    new ByteArrayInputStream(new byte[0]),
                    new PrintStream(full, false, StandardCharsets.UTF_8),
                    new PrintStream(err, true, StandardCharsets.UTF_8),
                    0);
            assertThat(LayercakeCommand.execute(console, Map.of(), arguments))
                    .as(arguments[0])
                    .isEqualTo(1);
            assertThat(err.toString(StandardCharsets.UTF_8)).contains("standard output cannot be written");
        }
    }

    @Test
    void theAnswerIsAllThatGoesToStandardOutput() {
        assertThat(run("run", "-m", CRUMB, "-t", "1", "-n", "8", "-p", FACT + " " + QUESTION))
                .isZero();
        assertThat(out().strip()).isEqualTo("4821");
        assertThat(err())
                .contains("memory:", "prompt", "answer", "ended by the model", "at its peak", "cake", "layer 0");
    }

    @Test
    void aFileAndAQuestionMakeAPrompt(@TempDir Path folder) throws IOException {
        Path file = Files.writeString(folder.resolve("story.txt"), FACT + "\n");
        assertThat(run("run", "-m", CRUMB, "-t", "1", "-n", "8", "-f", file.toString(), "-p", QUESTION))
                .isZero();
        assertThat(out().strip()).isEqualTo("4821");
        refused(2, "is a folder", "run", "-m", CRUMB, "-f", folder.toString());
        refused(
                2,
                "There is no file",
                "run",
                "-m",
                CRUMB,
                "-f",
                folder.resolve("none").toString());
    }

    @Test
    void questionsShareOneCompressedContext(@TempDir Path folder) throws IOException {
        String file =
                Files.writeString(folder.resolve("story.txt"), FACT + "\n").toString();
        String[] context = {"run", "-m", CRUMB, "-t", "1", "-n", "8", "--kv", "full", "--context", file};
        assertThat(run(Map.of(), "\n" + QUESTION + "\n\n" + QUESTION + "\n", context))
                .isZero();
        assertThat(out().lines().map(String::strip)).containsExactly("4821", "4821");
        assertThat(err()).contains("context", "> " + QUESTION);
        String[] asked = Arrays.copyOf(context, context.length + 5);
        System.arraycopy(new String[] {"--json", "-p", QUESTION, "-p", "Who?"}, 0, asked, context.length, 5);
        JsonNode report = json(Map.of(), asked);
        assertThat(report.get("context").get("timing").get("prompt_tokens").intValue())
                .isGreaterThan(10);
        assertThat(report.get("answers").size()).isEqualTo(2);
        assertThat(report.get("answers").get(1).has("question")).isTrue();
        assertThat(report.get("answers").get(0).get("text").stringValue().strip())
                .isEqualTo("4821");
        refused(2, "several questions need a text", "run", "-m", CRUMB, "-p", "a", "-p", "b");
        refused(2, "--raw and --context exclude each other", "run", "-m", CRUMB, "--raw", "--context", file);
        refused(2, "check the path given with --context", "run", "-m", CRUMB, "--context", file + "x", "-p", "a");
        refused(2, "There is no question about the context", "run", "-m", CRUMB, "--context", file);
        refused(2, "A question (-p) is empty", "run", "-m", CRUMB, "--context", file, "-p", "a", "-p", "");
    }

    @Test
    void answersAreToldEvenIfALaterQuestionFails(@TempDir Path folder) throws IOException {
        String file =
                Files.writeString(folder.resolve("story.txt"), FACT + "\n").toString();
        // A page of 64 entries per head and layer for the text, twice that for the first question: the second has too
        // many.
        String[] questions = {
            "run",
            "-m",
            CRUMB,
            "-t",
            "1",
            "-n",
            "8",
            "--kv",
            "full",
            "--kv-memory",
            "1m",
            "--context",
            file,
            "--json",
            "-p",
            QUESTION,
            "-p",
            QUESTION.repeat(40)
        };
        refused(1, "KV memory", questions);
        JsonNode report = JsonMapper.shared().readTree(out());
        assertThat(report.get("answers").size()).isEqualTo(1);
        assertThat(report.get("answers").get(0).get("text").stringValue().strip())
                .isEqualTo("4821");
        out.reset();
        questions[6] = "2040";
        refused(1, "and 2040 tokens of answer", questions);
        assertThat(out()).isEmpty();
        assertThat(err()).doesNotContain("memory: ");
    }

    @Test
    void standardInputIsAPromptAndRawTakesItAsItIs() {
        String prompt = "<|bos|><|user|> " + FACT + " " + QUESTION + "<|assistant|>";
        assertThat(run(Map.of(), prompt, "run", "-m", CRUMB, "-t", "1", "-n", "8", "--raw", "--kv", "full"))
                .isZero();
        assertThat(out().strip()).isEqualTo("4821");
    }

    @Test
    void theEnvironmentStandsInForOptionsAndTheCommandLineWins() {
        Map<String, String> environment =
                Map.of("LAYERCAKE_MODEL", CRUMB, "LAYERCAKE_KV", "full", "LAYERCAKE_PREDICT", "2");
        JsonNode fromEnvironment = json(environment, "run", "-t", "1", "--json", "-p", FACT + " " + QUESTION);
        assertThat(fromEnvironment.get("policy").stringValue()).isEqualTo("full");
        assertThat(fromEnvironment.get("tokens").size()).isEqualTo(2);
        assertThat(fromEnvironment.get("finish_reason").stringValue()).isEqualTo("length");
        JsonNode overruled = json(environment, "run", "-t", "1", "-n", "3", "--json", "-p", FACT + " " + QUESTION);
        assertThat(overruled.get("tokens").size()).isEqualTo(3);
        assertThat(run(Map.of("LAYERCAKE_PREDICT", "many"), "", "run", "-m", CRUMB, "-p", "x"))
                .isEqualTo(2);
    }

    @Test
    void inspectShowsTheModelAndItsMemory() throws IOException {
        JsonNode config = JsonMapper.shared().readTree(Files.readString(Path.of(CRUMB, "config.json")));
        int layers = config.get("num_hidden_layers").intValue();
        long kvBytes = 2L
                * 2
                * layers
                * config.get("num_key_value_heads").intValue()
                * config.get("head_dim").intValue();
        assertThat(run("inspect", "-m", "crumb")).isZero();
        assertThat(out())
                .contains(
                        "crumb",
                        "llama",
                        String.format(Locale.ROOT, "%,d bytes", kvBytes),
                        "model.layers.*.mlp.up_proj.weight",
                        "        2K",
                        "working memory",
                        "Java VM         about",
                        "cake 1,024")
                .as("a table that ends with what the model was made for")
                .doesNotContain("   4K");
        JsonNode report = json(Map.of(), "inspect", "-m", CRUMB, "--json", "--kv", "full");
        assertThat(report.get("layers").intValue()).isEqualTo(layers);
        assertThat(report.get("kv_memory").size()).isEqualTo(1);
        assertThat(report.get("jvm_bytes").longValue()).isBetween(32L << 20, 2048L << 20);
        assertThat(report.get("working_bytes").longValue()).isPositive();
        assertThat(report.get("kv_memory").get(0).get("kept_bytes").longValue()).isEqualTo(2048 * kvBytes);
        JsonNode beyond =
                json(Map.of(), "inspect", "-m", CRUMB, "--json", "--kv", "full", "-c", "10000", "--beyond-context");
        assertThat(beyond.get("kv_memory").size()).isEqualTo(3);
        assertThat(beyond.get("kv_memory").get(2).get("tokens").intValue()).isEqualTo(10_000);
        assertThat(report.get("tensors").size()).isEqualTo(9 * layers + 3);
    }

    @Test
    void tokenizeShowsPieces() {
        assertThat(run("tokenize", "-m", "crumb", "-p", " is 42<|end|>")).isZero();
        assertThat(out().lines().map(String::strip)).last().isEqualTo("0  <|end|>");
        assertThat(out().lines().map(line -> line.strip().replaceFirst("\\d+ +", "")))
                .satisfies(pieces -> assertThat(String.join("", pieces)).isEqualTo("\u0120is\u012042<|end|>"));
        assertThat(err()).contains("of crumb");
        assertThat(run("tokenize", "-m", CRUMB, "--ids", "-p", "<|bos|>")).isZero();
        assertThat(out()).endsWith("3\n");
    }

    @Test
    void policiesAreListed() {
        assertThat(run("policies")).isZero();
        assertThat(out()).contains("cake", "snapkv", "streaming", "budget=1024", "ada", "arXiv 2503.12491");
        JsonNode all = json(Map.of(), "policies", "--json");
        assertThat(all.get("methods").size()).isGreaterThanOrEqualTo(5);
        assertThat(all.get("modifiers").get(0).get("name").stringValue()).isEqualTo("ada");
    }

    /** docs/policies.md shows what {@code policies --markdown} prints; run that again when this fails. */
    @Test
    void thePageOfPoliciesIsUpToDate() throws IOException {
        assertThat(run("policies", "--markdown")).isZero();
        Path page = Path.of(System.getProperty("layercake.root"), "docs", "policies.md");
        String text = Files.readString(page);
        assertThat(out().lines().filter(line -> !line.isEmpty())).allMatch(text::contains);
    }

    @Test
    void benchMeasuresEveryCombination() {
        JsonNode report = json(
                Map.of(),
                "bench",
                "--shape",
                "tiny",
                "-t",
                "1",
                "-p",
                "16",
                "-n",
                "2",
                "-d",
                "0,100",
                "-r",
                "1",
                "--kv",
                "full",
                "--kv",
                "cake(budget=40)",
                "--json");
        assertThat(report.get("rows").size()).isEqualTo(8);
        assertThat(report.get("read_bytes_per_second").doubleValue()).isPositive();
        assertThat(report.get("rows").get(2).get("test").stringValue()).isEqualTo("pp16 @ d100");
        for (JsonNode row : report.get("rows")) {
            assertThat(row.get("tokens_per_second").doubleValue()).isPositive();
        }
    }

    @Test
    void rowsAreToldEvenIfALaterOneFails() {
        refused(
                1,
                "KV memory",
                "bench",
                "--shape",
                "tiny",
                "--kv-memory",
                "1m",
                "-t",
                "1",
                "-p",
                "0",
                "-n",
                "1",
                "-d",
                "0,1000000",
                "-r",
                "1",
                "--json");
        assertThat(JsonMapper.shared().readTree(out()).get("rows").size()).isEqualTo(1);
    }

    @Test
    void sizesAreReadAsPeopleWriteThem() {
        assertThat(ModelOptions.size("1048576")).isEqualTo(1 << 20);
        assertThat(ModelOptions.size("512m")).isEqualTo(512L << 20);
        assertThat(ModelOptions.size("1.5 GiB")).isEqualTo(3L << 29);
        assertThat(ModelOptions.size("4GB")).isEqualTo(4L << 30);
        assertThat(ModelOptions.size("17b")).isEqualTo(17);
    }

    private void refused(int exitCode, String words, String... arguments) {
        err.reset();
        assertThat(run(arguments)).as(String.join(" ", arguments)).isEqualTo(exitCode);
        assertThat(err()).contains(words).doesNotContain("\tat ").doesNotContain("Exception");
        assertThat(err().lines().filter(line -> line.startsWith("layercake: "))).hasSize(1);
    }

    private JsonNode json(Map<String, String> environment, String... arguments) {
        out.reset();
        assertThat(run(environment, "", arguments)).as(err()).isZero();
        return JsonMapper.shared().readTree(out());
    }

    private int run(String... arguments) {
        return run(Map.of(), "", arguments);
    }

    private int run(Map<String, String> environment, String input, String... arguments) {
        Console console = new Console(
                new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8)),
                new PrintStream(out, true, StandardCharsets.UTF_8),
                new PrintStream(err, true, StandardCharsets.UTF_8),
                0);
        return LayercakeCommand.execute(console, environment, arguments);
    }

    private String out() {
        return out.toString(StandardCharsets.UTF_8);
    }

    private String err() {
        return err.toString(StandardCharsets.UTF_8);
    }
}

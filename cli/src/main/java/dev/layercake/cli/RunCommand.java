package dev.layercake.cli;

import dev.layercake.engine.Generation;
import dev.layercake.engine.GenerationListener;
import dev.layercake.engine.GenerationOptions;
import dev.layercake.engine.GenerationSummary;
import dev.layercake.engine.LanguageModel;
import dev.layercake.engine.Session;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.kv.policy.KvPolicy;
import dev.layercake.kv.policy.Policies;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code layercake run}: reads a prompt, answers, and shows what it took. */
@Command(
        name = "run",
        description = "Reads a prompt and answers it; the answer goes to standard output, all else to standard error.")
final class RunCommand implements Callable<Integer> {
    private final Console console;

    @Mixin
    ModelOptions model = new ModelOptions();

    @Mixin
    SamplingOptions sampling = new SamplingOptions();

    @Option(
            names = {"-p", "--prompt"},
            paramLabel = "TEXT",
            description = "The prompt. With -f it follows the file's text, as a question about it.")
    @Nullable
    String prompt;

    @Option(
            names = {"-f", "--file"},
            paramLabel = "FILE",
            description = "A file with the prompt; '-' is standard input, as is giving neither -p nor -f.")
    @Nullable
    String file;

    @Option(
            names = "--kv",
            paramLabel = "SPEC",
            description = "What stays in the cache, for example cake(budget=1024) (default: ${DEFAULT-VALUE});"
                    + " 'layercake policies' lists them all.")
    String kv = "cake";

    @Option(names = "--raw", description = "Take the prompt as it is, without the model's chat template.")
    boolean raw;

    @Option(names = "--chat", description = "Insist on the model's chat template; fail if it has none.")
    boolean chat;

    @Option(names = "--json", description = "Print answer and figures as one JSON object instead.")
    boolean json;

    RunCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        if (raw && chat) {
            throw LayercakeException.badInput("--raw and --chat exclude each other; give one of them.");
        }
        KvPolicy policy = Policies.parse(kv);
        GenerationOptions options = sampling.options();
        String text = promptText();
        try (LanguageModel language = model.load();
                Session session = language.session(policy)) {
            if (chat && language.model().chatTemplate().isEmpty()) {
                throw LayercakeException.badInput(
                        "The model " + language.model().name() + " has no chat template; leave --chat out.");
            }
            Generation generation = raw ? session.generate(text, options) : session.ask(text, options);
            announce(language, generation);
            GenerationSummary summary = generation.run(new Printer(generation.promptTokens()));
            if (json) {
                Json.print(console.out(), RunReport.of(language, summary));
            } else {
                console.out().println();
                console.out().flush();
                console.err().println();
                SummaryText.lines(summary, Console.showsBlocks(console.err())).forEach(console.err()::println);
            }
            return 0;
        }
    }

    private void announce(LanguageModel language, Generation generation) {
        console.err()
                .println(language.model().name() + ": "
                        + language.model().config().architecture() + ", "
                        + Bars.number(language.model().parameters()) + " parameters, " + language.kernelDescription()
                        + ", "
                        + language.options().threads() + " threads");
        console.err().println("memory: " + generation.plan());
        console.err().println();
    }

    private String promptText() {
        String ofFile = file != null ? read(file) : prompt == null ? read("-") : "";
        String text = prompt == null ? ofFile : ofFile.isEmpty() ? prompt : ofFile.stripTrailing() + " " + prompt;
        if (text.isBlank()) {
            throw LayercakeException.badInput("The prompt is empty; give one with -p or -f, or on standard input.");
        }
        return text;
    }

    private String read(String name) {
        try {
            if (!name.equals("-")) {
                return Files.readString(Path.of(name));
            }
            return new String(console.in().readAllBytes(), StandardCharsets.UTF_8);
        } catch (NoSuchFileException e) {
            throw LayercakeException.badInput("There is no file " + name + "; check the path given with -f.", e);
        } catch (CharacterCodingException e) {
            throw LayercakeException.badInput("The file " + name + " is not UTF-8 text; convert it first.", e);
        } catch (IOException e) {
            String what =
                    Files.isDirectory(Path.of(name)) ? " is a folder; give a text file." : " cannot be read; check it.";
            throw LayercakeException.badInput("The file " + name + what, e);
        }
    }

    /** Shows progress on standard error and the answer on standard output. */
    private final class Printer implements GenerationListener {
        private final ProgressBar progress;

        Printer(int promptTokens) {
            this.progress = new ProgressBar(console, "reading " + SummaryText.tokens(promptTokens));
        }

        @Override
        public void prefill(long done, long total) {
            progress.update(done, total);
            if (done == total) {
                progress.end();
            }
        }

        @Override
        public void text(String piece) {
            if (!json) {
                console.stream(piece);
            }
        }
    }
}

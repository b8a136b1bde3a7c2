package dev.layercake.cli;

import com.fasterxml.jackson.annotation.JsonUnwrapped;
import dev.layercake.engine.Generation;
import dev.layercake.engine.GenerationListener;
import dev.layercake.engine.GenerationOptions;
import dev.layercake.engine.GenerationSummary;
import dev.layercake.engine.LanguageModel;
import dev.layercake.engine.MemoryPlan;
import dev.layercake.engine.Session;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.kv.policy.KvPolicy;
import dev.layercake.kv.policy.Policies;
import dev.layercake.kv.policy.PositionRule;
import dev.layercake.model.tokenizer.EncodeOptions;
import dev.layercake.model.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
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
    /** What the chat template may add to a text, about. */
    private static final int ROOM_FOR_TEMPLATE = 64;

    /** What {@code --json} prints for each question about a context. */
    private record Answered(String question, @JsonUnwrapped RunReport answer) {}

    private final Console console;

    @Mixin
    ModelOptions model = new ModelOptions();

    @Mixin
    SamplingOptions sampling = new SamplingOptions();

    @Option(
            names = {"-p", "--prompt"},
            paramLabel = "TEXT",
            description =
                    "The prompt. With -f it follows the file's text, as a question about it; with --context it may be"
                            + " given several times.")
    List<String> prompts = new ArrayList<>();

    @Option(
            names = {"-f", "--file"},
            paramLabel = "FILE",
            description = "A file with the prompt; '-' is standard input, as is giving neither -p nor -f.")
    @Nullable
    String file;

    @Option(
            names = "--context",
            paramLabel = "FILE",
            description =
                    "Read and compress this text first, before any question is known; then each -p, or each line of -f or"
                            + " of standard input, is asked about it, always from the same compressed text.")
    @Nullable
    String context;

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
        if (raw && context != null) {
            throw LayercakeException.badInput("--raw and --context exclude each other; give one of them.");
        }
        if (context == null && prompts.size() > 1) {
            throw LayercakeException.badInput("-p is given " + prompts.size()
                    + " times; several questions need a text to ask about (--context FILE).");
        }
        KvPolicy policy = Policies.parse(kv);
        GenerationOptions options = sampling.options();
        String text = context == null ? promptText() : read(context, "--context");
        List<String> questions = context == null ? List.of() : questions();
        try (LanguageModel language = model.load();
                Session session = language.session(policy)) {
            if (chat && language.model().chatTemplate().isEmpty()) {
                throw LayercakeException.badInput(
                        "The model " + language.model().name() + " has no chat template; leave --chat out.");
            }
            if (context == null) {
                Generation generation = raw ? session.generate(text, options) : session.ask(text, options);
                announce(language, generation.plan());
                report(language, answer(generation));
            } else {
                askAll(language, session, text, questions, options);
            }
            return 0;
        }
    }

    /** Compresses the text once and asks each question from there. What was answered is told even if a later question fails. */
    private void askAll(
            LanguageModel language, Session session, String text, List<String> questions, GenerationOptions options) {
        requireRoom(language, session.policy(), text, questions, options);
        GenerationSummary compressed = session.feedContext(text, new Printer("compressing " + context));
        announce(language, compressed.plan());
        if (!json) {
            console.err().println(SummaryText.compressed(compressed));
        }
        List<Answered> reports = new ArrayList<>();
        try {
            for (String question : questions) {
                GenerationSummary summary = ask(session, question, options);
                if (json) {
                    reports.add(new Answered(question, RunReport.of(language, summary)));
                } else {
                    report(language, summary);
                }
            }
        } finally {
            if (json) {
                Json.print(console.out(), Map.of("context", RunReport.of(language, compressed), "answers", reports));
            }
        }
    }

    private GenerationSummary ask(Session session, String question, GenerationOptions options) {
        if (!json) {
            console.err().println();
            console.err().println("> " + question);
        }
        try (Session fork = session.fork()) {
            return answer(fork.ask(question, options));
        }
    }

    /** Refuses what cannot fit before time is spent on the text; what the chat template adds is not counted. */
    private void requireRoom(
            LanguageModel language, KvPolicy policy, String text, List<String> questions, GenerationOptions options) {
        if (policy.positions() != PositionRule.ORIGINAL) {
            return;
        }
        Tokenizer tokenizer = language.model().tokenizer();
        int room = language.contextTokens();
        // A text that is far too long is not cut to its end; of one that is a little too long the number is worth
        // knowing.
        EncodeOptions limited =
                EncodeOptions.of(false).atMost((int) Math.min(Integer.MAX_VALUE, 2L * room + 4096), room);
        String longest = Collections.max(
                questions, Comparator.comparingInt(question -> tokenizer.encode(question, limited).length));
        long needed =
                (long) options.maxTokens() + tokenizer.encode(text.strip() + " " + longest.strip(), limited).length;
        if (needed > room) {
            throw LayercakeException.overCapacity("The text of --context, question " + (questions.indexOf(longest) + 1)
                    + " (\"" + beginning(longest) + "\") and " + options.maxTokens() + " tokens of answer are " + needed
                    + " tokens, but the context is " + room
                    + "; shorten them, ask for fewer tokens (-n), or "
                    + language.widerContext(needed + ROOM_FOR_TEMPLATE) + ".");
        }
    }

    private static String beginning(String question) {
        String line = question.strip().lines().findFirst().orElse("");
        return line.length() <= 40 ? line : line.substring(0, 40) + "...";
    }

    private GenerationSummary answer(Generation generation) {
        return generation.run(new Printer("reading " + SummaryText.tokens(generation.promptTokens())));
    }

    private void report(LanguageModel language, GenerationSummary summary) {
        if (json) {
            Json.print(console.out(), RunReport.of(language, summary));
        } else {
            console.out().println();
            console.out().flush();
            console.err().println();
            SummaryText.lines(summary, Console.showsBlocks(console.err())).forEach(console.err()::println);
        }
    }

    private void announce(LanguageModel language, MemoryPlan plan) {
        console.err()
                .println(language.model().name() + ": "
                        + language.model().config().architecture() + ", "
                        + Bars.number(language.model().parameters()) + " parameters, " + language.kernelDescription()
                        + ", "
                        + language.options().threads() + " threads");
        console.err().println("memory: " + plan);
        ModelOptions.beyondContext(language).ifPresent(console.err()::println);
        console.err().println();
    }

    private String promptText() {
        String prompt = prompts.isEmpty() ? null : prompts.getFirst();
        String ofFile = file != null ? read(file, "-f") : prompt == null ? read("-", "-f") : "";
        String text = prompt == null ? ofFile : ofFile.isEmpty() ? prompt : ofFile.stripTrailing() + " " + prompt;
        if (text.isBlank()) {
            throw LayercakeException.badInput("The prompt is empty; give one with -p or -f, or on standard input.");
        }
        return text;
    }

    /** What is asked about the context, in order. */
    private List<String> questions() {
        List<String> questions = new ArrayList<>(prompts);
        if (file != null || prompts.isEmpty()) {
            questions.addAll(read(file == null ? "-" : file, "-f").lines().toList());
        }
        if (prompts.stream().anyMatch(String::isBlank)) {
            throw LayercakeException.badInput("A question (-p) is empty; write one or leave it out.");
        }
        questions.removeIf(String::isBlank);
        if (questions.isEmpty()) {
            throw LayercakeException.badInput(
                    "There is no question about the context; give some with -p or -f, or on standard input, one a line.");
        }
        return questions;
    }

    private String read(String name, String option) {
        try {
            if (!name.equals("-")) {
                return Files.readString(Path.of(name));
            }
            return new String(console.in().readAllBytes(), StandardCharsets.UTF_8);
        } catch (NoSuchFileException e) {
            throw LayercakeException.badInput(
                    "There is no file " + name + "; check the path given with " + option + ".", e);
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

        Printer(String doing) {
            this.progress = new ProgressBar(console, doing);
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

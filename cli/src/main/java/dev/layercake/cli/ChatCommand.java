package dev.layercake.cli;

import dev.layercake.engine.FinishReason;
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
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.jline.reader.EndOfFileException;
import org.jline.reader.LineReader;
import org.jline.reader.LineReaderBuilder;
import org.jline.reader.UserInterruptException;
import org.jline.reader.impl.completer.StringsCompleter;
import org.jline.terminal.Terminal;
import org.jline.terminal.Terminal.Signal;
import org.jline.terminal.TerminalBuilder;
import org.jline.terminal.impl.DumbTerminal;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code layercake chat}: a conversation of several turns in one cache. */
@Command(
        name = "chat",
        description = "Talks with a model, turn by turn, in one cache. Ctrl-C stops an answer, Ctrl-D ends.")
final class ChatCommand implements Callable<Integer> {
    private static final List<String> COMMANDS = List.of("/kv", "/reset", "/help", "/exit");

    private final Console console;

    @Mixin
    ModelOptions model = new ModelOptions();

    @Mixin
    SamplingOptions sampling = new SamplingOptions();

    @Option(
            names = "--kv",
            paramLabel = "SPEC",
            description = "What stays in the cache (default: ${DEFAULT-VALUE}); 'layercake policies' lists them all.")
    String kv = "cake";

    ChatCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() throws IOException {
        KvPolicy policy = Policies.parse(kv);
        GenerationOptions options = sampling.options();
        try (LanguageModel language = model.load();
                Session session = language.session(policy);
                Terminal terminal = terminal()) {
            new Conversation(language, session, options, terminal).hold();
            return 0;
        }
    }

    private Terminal terminal() throws IOException {
        return console.terminal()
                ? TerminalBuilder.builder().system(true).dumb(true).build()
                : new DumbTerminal(
                        "layercake", Terminal.TYPE_DUMB, console.in(), console.out(), StandardCharsets.UTF_8);
    }

    /** The loop of questions and answers. */
    private static final class Conversation {
        private final Session session;
        private final GenerationOptions options;
        private final Terminal terminal;
        private final PrintWriter out;
        private final LineReader reader;
        private final String greeting;

        Conversation(LanguageModel language, Session session, GenerationOptions options, Terminal terminal) {
            this.session = session;
            this.options = options;
            this.terminal = terminal;
            this.out = terminal.writer();
            this.greeting = language.model().name() + ", " + language.contextTokens() + " tokens of context, "
                    + session.policy() + ". /help lists the commands."
                    + ModelOptions.beyondContext(language)
                            .map(note -> "\n" + note)
                            .orElse("");
            this.reader = LineReaderBuilder.builder()
                    .terminal(terminal)
                    .completer(new StringsCompleter(COMMANDS))
                    .option(LineReader.Option.DISABLE_EVENT_EXPANSION, true)
                    .build();
        }

        /** A person's lines are kept for the next time; a script's are not. */
        private void keepHistory() {
            if (!terminal.getType().startsWith(Terminal.TYPE_DUMB)) {
                Path file = Path.of(System.getProperty("user.home"), ".layercake_history");
                reader.setVariable(LineReader.HISTORY_FILE, file);
            }
        }

        void hold() {
            keepHistory();
            say(greeting);
            while (true) {
                String line;
                try {
                    line = reader.readLine("> ").strip();
                } catch (UserInterruptException e) {
                    say("Type /exit or press Ctrl-D to leave.");
                    continue;
                } catch (EndOfFileException e) {
                    return;
                }
                if (line.equals("/exit") || line.equals("/quit")) {
                    return;
                }
                if (!line.isEmpty()) {
                    respond(line);
                }
            }
        }

        private void respond(String line) {
            try {
                switch (line) {
                    case "/help" -> help();
                    case "/kv" -> kv();
                    case "/reset" -> {
                        session.reset();
                        say("The conversation begins anew.");
                    }
                    default -> {
                        if (line.startsWith("/")) {
                            say("There is no command " + line + "; /help lists them.");
                        } else {
                            answer(line);
                        }
                    }
                }
            } catch (LayercakeException e) {
                say(Failures.sentence(String.valueOf(e.getMessage())));
            }
        }

        private void help() {
            say("/kv     shows what the cache holds, a bar per layer");
            say("/reset  forgets the conversation");
            say("/exit   leaves, as Ctrl-D does");
            say("Ctrl-C  stops an answer");
        }

        private void kv() {
            say(SummaryText.memory(session.kv()));
            boolean blocks = terminal.encoding().newEncoder().canEncode("\u2588");
            SummaryText.cake(session.kv(), blocks).forEach(this::say);
        }

        private void answer(String message) {
            Terminal.SignalHandler before = terminal.handle(Signal.INT, signal -> session.cancel());
            try {
                Generation generation = session.ask(message, options);
                GenerationSummary summary = generation.run(new GenerationListener() {
                    @Override
                    public void text(String piece) {
                        out.print(piece);
                        out.flush();
                    }
                });
                out.println();
                say("[" + SummaryText.tokens(summary.promptTokens()) + " read, "
                        + SummaryText.tokens(summary.tokens().size()) + " at "
                        + SummaryText.speed(summary.decodeSpeed()) + ", "
                        + (summary.finishReason() == FinishReason.CANCELLED ? "stopped, " : "")
                        + SummaryText.memory(summary.kv()) + "]");
            } finally {
                terminal.handle(Signal.INT, before);
            }
        }

        private void say(String line) {
            out.println(line);
            out.flush();
        }
    }
}

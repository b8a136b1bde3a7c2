package dev.layercake.cli;

import dev.layercake.engine.LanguageModel;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.model.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code layercake tokenize}: how a model's tokenizer cuts a text. */
@Command(
        name = "tokenize",
        description = "Shows how a model's tokenizer cuts a text: a line with number and piece per token.")
final class TokenizeCommand implements Callable<Integer> {
    private final Console console;

    @Mixin
    ModelOptions model = new ModelOptions();

    @Option(
            names = {"-p", "--prompt"},
            paramLabel = "TEXT",
            description = "The text; standard input if neither -p nor -f is given.")
    @Nullable
    String prompt;

    @Option(
            names = {"-f", "--file"},
            paramLabel = "FILE",
            description = "A file with the text.")
    @Nullable
    Path file;

    @Option(
            names = "--no-special",
            description = "Do not add what the model wants around a text, such as its first token.")
    boolean noSpecial;

    @Option(names = "--ids", description = "Print only the numbers, on one line.")
    boolean ids;

    @Option(names = "--json", description = "Print one JSON object instead.")
    boolean json;

    TokenizeCommand(Console console) {
        this.console = console;
    }

    /** A token: its number and how the vocabulary writes it. */
    private record Piece(int id, String piece) {}

    /** What {@code --json} prints. */
    private record Report(String model, int count, List<Piece> tokens) {}

    @Override
    public Integer call() {
        String text = text();
        try (LanguageModel language = model.load()) {
            Tokenizer tokenizer = language.model().tokenizer();
            List<Piece> pieces = new ArrayList<>();
            for (int id : tokenizer.encode(text, !noSpecial)) {
                pieces.add(new Piece(id, tokenizer.token(id).orElse("")));
            }
            print(language.model().name(), pieces);
        }
        return 0;
    }

    private void print(String name, List<Piece> pieces) {
        if (json) {
            Json.print(console.out(), new Report(name, pieces.size(), pieces));
        } else if (ids) {
            console.out()
                    .println(String.join(
                            " ",
                            pieces.stream()
                                    .map(piece -> String.valueOf(piece.id()))
                                    .toList()));
        } else {
            pieces.forEach(piece -> console.out().printf("%7d  %s%n", piece.id(), piece.piece()));
            console.err().println(SummaryText.tokens(pieces.size()) + " of " + name);
        }
    }

    private String text() {
        if (prompt != null) {
            return prompt;
        }
        try {
            return file != null
                    ? Files.readString(file)
                    : new String(console.in().readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw LayercakeException.badInput(
                    "The file " + file + " cannot be read as UTF-8 text; check that it exists and is text.", e);
        }
    }
}

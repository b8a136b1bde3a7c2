package dev.layercake.cli;

import dev.layercake.eval.Budget;
import dev.layercake.eval.Contender;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The options that say which policies an evaluation compares at which budgets, and where it keeps what it finds. */
final class ContenderOptions {
    @Option(
            names = "--kv",
            paramLabel = "SPEC",
            description = "A policy; may be given several times, or several separated by blanks or semicolons (default:"
                    + " full, cake, snapkv, streaming and random). One with a budget of its own is run once.")
    List<String> kv = List.of("full", "cake", "snapkv", "streaming", "random");

    @Option(
            names = "--budgets",
            split = ",",
            paramLabel = "B",
            description = "Entries per head and layer that a policy may keep: a share of the prompt or a number"
                    + " (default: 3.2%%,12.5%%,50%%).")
    List<String> budgets = List.of("3.2%", "12.5%", "50%");

    @Option(
            names = "--out",
            paramLabel = "DIR",
            description =
                    "Folder for results and reports; run again, it goes on where it stopped. Without it a folder under"
                            + " layercake-eval is named after the setup.")
    @Nullable
    Path out;

    @Option(names = "--json", description = "Print the summary as one JSON object instead.")
    boolean json;

    List<Contender> contenders() {
        List<String> specs = new ArrayList<>();
        for (String given : kv) {
            // A list of policies in one argument; commas belong to their settings.
            String outsideQuotes = "(?=([^\"]*\"[^\"]*\")*[^\"]*$)";
            specs.addAll(List.of(given.strip().split("(\\s*;\\s*|(?<![,(=+])\\s+(?![,)=(+]))" + outsideQuotes)));
        }
        return Contender.grid(specs, budgets.stream().map(Budget::parse).toList());
    }
}

package dev.layercake.cli;

import dev.layercake.eval.Evaluation;
import dev.layercake.eval.SyntheticTasks;
import dev.layercake.kernels.LayercakeException;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code layercake eval needle}: a fact at every depth of texts of every length. */
@Command(
        name = "needle",
        description =
                "Needle in a haystack: hides a number at a depth of a text and asks for it, for every length, depth,"
                        + " policy and budget.")
final class EvalNeedleCommand implements Callable<Integer> {
    private final Console console;

    @Mixin
    ModelOptions model = new ModelOptions();

    @Mixin
    EvalOptions options = new EvalOptions();

    @Option(
            names = "--depths",
            split = ",",
            paramLabel = "P",
            description = "Where the fact lies, in percent of the text; a single number is how many, evenly spaced"
                    + " (default: 0,25,50,75,100).")
    List<Double> depths = List.of(0.0, 25.0, 50.0, 75.0, 100.0);

    EvalNeedleCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        return new EvalRun(console, model, options.who).run(options, tasks -> evaluation(tasks));
    }

    private Evaluation evaluation(SyntheticTasks tasks) {
        return tasks.needle(options.lengths, shares());
    }

    private List<Double> shares() {
        if (depths.size() == 1) {
            double count = depths.getFirst();
            if (count != Math.rint(count) || count < 1 || count > 1000) {
                throw LayercakeException.badInput("--depths must be a number of depths from 1 to 1000, or at least two"
                        + " percentages, not " + count + ".");
            }
            return SyntheticTasks.depths((int) count);
        }
        for (double depth : depths) {
            if (!(depth >= 0 && depth <= 100)) {
                throw LayercakeException.badInput("--depths are percentages from 0 to 100, not " + depth + ".");
            }
        }
        return depths.stream().map(depth -> depth / 100).toList();
    }
}

package dev.layercake.cli;

import dev.layercake.eval.TaskFamily;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code layercake eval tasks}: the families of retrieval tasks. */
@Command(
        name = "tasks",
        description = "Eight kinds of tasks about a text: one fact, several of many, key and value, two hops, variable"
                + " tracking, the named paragraph, labels by example, copying a record.")
final class EvalTasksCommand implements Callable<Integer> {
    private final Console console;

    @Mixin
    ModelOptions model = new ModelOptions();

    @Mixin
    EvalOptions options = new EvalOptions();

    @Option(
            names = "--families",
            split = ",",
            paramLabel = "NAME",
            description =
                    "Which of needle, several, lookup, hops, tracking, paragraph, labels and record (default: all).")
    List<String> families =
            Arrays.stream(TaskFamily.values()).map(TaskFamily::label).toList();

    EvalTasksCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        List<TaskFamily> wanted = families.stream().map(TaskFamily::parse).toList();
        return new EvalRun(console, model, options.who).run(options, tasks -> tasks.families(wanted, options.lengths));
    }
}

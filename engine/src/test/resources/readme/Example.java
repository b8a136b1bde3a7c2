import dev.layercake.engine.LanguageModel;

void main() {
    try (var model = LanguageModel.load(Path.of("models/crumb"));
            var session = model.session("cake(budget=512)")) {
        var text = "The code of Marlow is 4821." + " Rain fell on the harbour, and nobody came.".repeat(80);
        var answer = session.ask(text + " What is the code of Marlow?");
        for (String piece : answer) {
            IO.print(piece);
        }
        IO.println("\n" + answer.summary().kv());
    }
}

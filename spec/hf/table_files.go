package hf

// fileTable lists the effects of the files of a model folder, by name or by a pattern of path.Match. The first row that a name matches counts.
var fileTable = []group{
	{Applied, "config.json", "the model; not read beside gliner_config.json", nil},
	{Applied, "gliner_config.json", "a GLiNER model", nil},
	{Applied, "model.safetensors model.safetensors.index.json model-*-of-*.safetensors", "the weights, in one file or in shards", nil},
	{Applied, "pytorch_model.bin pytorch_model.bin.index.json pytorch_model-*-of-*.bin", "the weights, where there are no safetensors", nil},
	{Applied, "tokenizer.json", "the tokenizer", nil},
	{Applied, "spm.model vocab.json merges.txt vocab.txt", "the tokenizer, where there is no tokenizer.json", nil},
	{Applied, "tokenizer_config.json special_tokens_map.json added_tokens.json", "further settings of the tokenizer; its length limit", nil},
	{Applied, "modules.json", "the modules of sentence-transformers: pooling and division by the length are understood", nil},
	{Applied, "sentence_bert_config.json sentence_roberta_config.json sentence_distilbert_config.json sentence_camembert_config.json " +
		"sentence_albert_config.json sentence_xlm-roberta_config.json sentence_xlnet_config.json",
		"how sentence-transformers reads texts; the first file that exists counts", nil},
	{Applied, "config_sentence_transformers.json", "prompts, and the function after a score", nil},
	{Applied, "generation_config.json", "checked for the head generate; other heads do not generate", nil},

	{Refused, "adapter_config.json adapter_model.safetensors adapter_model.bin",
		"the library would add the adapter (PEFT) to the weights: merge it into them first (merge_and_unload)", nil},
	{Refused, "config_setfit.json model_head.pkl", "SetFit classifies with a head of its own after the embedding, which is not read", nil},
	{Refused, "preprocessor_config.json processor_config.json image_processor_config.json video_preprocessor_config.json feature_extractor_config.json",
		"a processor of images, sound or texts stands before the model, which is not understood", nil},
	{Refused, "quantize_config.json quant_config.json quantization_config.json", "weights that are quantized are not read", nil},
	{Refused, "router_config.json", "texts would take one of several models", nil},

	{Harmless, "trainer_state.json training_args.json training_params.json all_results.json train_results.json eval_results.json test_results.json " +
		"predict_results.json *_results.json metrics.json results.json eval.json", "settings and results of training", nil},
	{Harmless, "onnx_config.json ort_config.json openvino_config.json ov_config.json *.h5.index.json *.msgpack.index.json",
		"belongs to weights in another form, which are not read", nil},
	{Harmless, "data_config.json dataset_info.json dataset_infos.json state.json", "describes data", nil},
	{Harmless, "chat_template.json additional_chat_templates.json", "how chats become texts; texts are taken as they are", nil},
	{Harmless, "case.json", "a recorded case, for debertac verify", nil},
	{Harmless, ".*", "hidden; no library reads it", nil},
	{Refused, "*.json", "it is not known, and may be a configuration that changes results", nil},

	{Harmless, "training_args.bin optimizer.pt optimizer.bin scheduler.pt scheduler.bin scaler.pt rng_state*.pth events.out.tfevents.* *.log",
		"left by training", nil},
	{Harmless, "tokenizer.model spiece.model sentencepiece.bpe.model spm.vocab bpe_encoder.bin",
		"a tokenizer in a form that is not read: the library reads it where tokenizer.json is missing, and then the folder has no tokenizer here", nil},
	{Harmless, "*.safetensors *.bin", "weights under another name, which the library reads only if it is given", nil},
	{Harmless, "*.onnx *.onnx_data *.xml *.h5 *.msgpack *.ot *.gguf *.ggml *.mlmodel *.tflite *.pt *.pth *.ckpt *.npz",
		"weights in another form, which are not read", nil},
	{Harmless, "*.py", "code, which is not run; a configuration that needs it has auto_map, which is refused", nil},
	{Harmless, "*.jinja", "how chats become texts; texts are taken as they are", nil},
	{Harmless, "*.md *.txt *.rst *.pdf *.html *.ipynb *.png *.jpg *.jpeg *.gif *.svg *.webp LICENSE* NOTICE*", "for people", nil},
	{Harmless, "*.csv *.tsv *.jsonl *.parquet *.arrow *.gz *.zip *.tar", "data", nil},
	{Harmless, "*.yaml *.yml *.toml *.ini *.cfg *.sh", "settings of programs that are not part of the model; no library reads a model from such a file", nil},
	{Harmless, "*", "no library opens a file of a model folder whose name it does not know", nil},
}

// folderRow is the effect of the folders in a model folder.
var folderRow = group{Harmless, "*/", "no library reads a folder that modules.json does not name", nil}

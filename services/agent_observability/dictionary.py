"""
What bodies of model and tool calls are mostly made of, for the compressor to begin with.

Every blob packed with codec 2 was packed with exactly these bytes: to change a letter is to lose them. A
better dictionary is a new constant with a codec of its own. The most frequent stands last, where it costs
least.
"""

DICTIONARY_2 = (
    b'{"error":{"message":"","type":"invalid_request_error","param":null,"code":null}}'
    b'{"type":"error","error":{"type":"overloaded_error","message":""}}'
    b'"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":,"cache_creation_input_tokens":0,'
    b'"cache_read_input_tokens":0,"output_tokens":}}"stop_reason":"end_turn"{"id":"msg_","type":"message",'
    b'"role":"assistant","model":"claude-sonnet-","content":[{"type":"text","text":""},{"type":"tool_use","id":'
    b'"toolu_","name":"","input":{}}]{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_",'
    b'"content":"","is_error":false,"cache_control":{"type":"ephemeral"}}]}'
    b'event: message_start\ndata: {"type":"message_start","message":\n\nevent: content_block_start\ndata: '
    b'{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\nevent: '
    b'content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta",'
    b'"text":""}}\n\n"delta":{"type":"input_json_delta","partial_json":""}event: content_block_stop\ndata: '
    b'{"type":"content_block_stop","index":0}\n\nevent: message_delta\ndata: {"type":"message_delta","delta":'
    b'{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":}}\n\nevent: message_stop\n'
    b'data: {"type":"message_stop"}\n\n"max_tokens":1024,"system":"You are a helpful assistant.",'
    b'"temperature":0,'
    b'"top_p":1,"parallel_tool_calls":true,"tool_choice":"auto","response_format":{"type":"json_object"}'
    b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"","arguments":{},"_meta":'
    b'{"progressToken":'
    b'"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}{"jsonrpc":"2.0","id":1,"result":{"content":'
    b'[{"type":"text","text":""}],"structuredContent":{},"isError":false}}{"method":"tools/list","jsonrpc":"2.0"}'
    b'{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":""}}'
    b',"tools":[{"type":"function","function":{"name":"","description":"","parameters":{"type":"object",'
    b'"properties":{"":{"type":"string","description":""},"":{"type":"integer"},"":{"type":"boolean"},'
    b'"enum":[""]},"required":[""],"additionalProperties":false},"strict":true}}]'
    b'"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":'
    b'{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},'
    b'"service_tier":"default","system_fingerprint":"fp_"}'
    b'data: {"id":"chatcmpl-","object":"chat.completion.chunk","created":17,"model":"gpt-4o-mini","choices":'
    b'[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]}\n\ndata: '
    b'"delta":{},"finish_reason":"stop"}],"usage":null}\n\ndata: [DONE]\n\n'
    b'{"id":"chatcmpl-","object":"chat.completion","created":17,"model":"scripted/","choices":[{"index":0,'
    b'"message":{"role":"assistant","content":"","refusal":null,"annotations":[]},"logprobs":null,'
    b'"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":,"completion_tokens":,"total_tokens":}}'
    b'"finish_reason":"stop","stream":true,"stream_options":{"include_usage":true}}'
    b',{"role":"tool","tool_call_id":"call_","name":"","content":""}'
    b',{"role":"assistant","content":null,"tool_calls":[{"id":"call_","type":"function","function":{"name":"",'
    b'"arguments":"{\\"\\":\\"\\"}"}}]}'
    b'{"model":"gpt-4o-mini","messages":[{"role":"system","content":"You are a helpful assistant."},'
    b'{"role":"assistant","content":""},{"role":"user","content":"'
)
